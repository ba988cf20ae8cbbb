"""The same device without its own kernel and processor: the system in a container, up in a second. What needs
cgroups of its own, a hardware watchdog or a power switch is the guest's (see `guest`)."""

import atexit
import functools
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from device import PATIENCE, REPOSITORY, Device, made, wait_until


@functools.cache
def shared():
    """The container of all tests that leave it as it was; it starts with the first of them."""
    container = Container()
    atexit.register(container.cut_power)
    container.wait_for_api()
    return container


def make_kiosk(root):
    """Makes a Debian what a device is: the overlay, the program, and what only the tests want."""
    for overlay in "rootfs-overlay", "tests/image/guest":
        subprocess.run(["cp", "-a", "--no-preserve=ownership", f"{REPOSITORY / overlay}/.", root], check=True)
    programs = {"usr/bin/ossuary": "", "usr/libexec/ossuary-with-faults": "yes"}
    for place, faults in programs.items():
        program = made("program", "native", FAULTS=faults)
        subprocess.run(["install", "-D", program, root / place], check=True)
    subprocess.run(["chroot", root, "systemctl", "--quiet", "preset", "ossuary.service"], check=True)


class Container(Device):
    """A running container. Ends, and is gone, when power is cut."""

    def __init__(self, prepare=make_kiosk):
        """`prepare` is given the root of a small Debian before it starts."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-container-"))
        root = self.directory / "root"
        root.mkdir()
        subprocess.run(["tar", "-xf", made("native"), "-C", root], check=True)
        (root / "etc/hostname").write_text("ossuary\n")
        prepare(root)
        with open(self.directory / "console", "wb") as console:
            self.nspawn = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--private-network"]
                + ["--console=pipe", f"--directory={root}"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        try:
            self.leader = wait_until(self.find_leader)
            wait_until(lambda: self.run("systemctl list-units")[0] == 0)
        except BaseException:
            self.cut_power()
            raise

    def find_leader(self):
        """PID 1 of the container, as this machine counts."""
        if self.nspawn.poll() is not None:
            raise AssertionError(f"the container has ended:\n{self.last_words()}")
        children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        return next((int(child) for child in children if is_init(child)), None)

    def cut_power(self):
        """All of it ends with its PID 1."""
        if getattr(self, "leader", None) and self.nspawn.poll() is None:
            os.kill(self.leader, signal.SIGKILL)
        else:
            self.nspawn.kill()
        self.nspawn.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def last_words(self):
        return (self.directory / "console").read_text(errors="replace")[-4000:]

    def run(self, command, timeout=PATIENCE):
        """Runs a shell command in the container: its exit code, and what it printed."""
        enter = ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root"]
        done = subprocess.run(
            enter + ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        return done.returncode, done.stdout

    def connect(self, timeout):
        """The way of the command line: what is in the container's network stays there."""
        wire = socket.socket(socket.AF_UNIX)
        wire.settimeout(timeout)
        try:
            wire.connect(f"/proc/{self.leader}/root/run/ossuary/ossuary.sock")
        except OSError:
            wire.close()
            raise
        connection = http.client.HTTPConnection("localhost", timeout=timeout)
        connection.sock = wire
        return connection


def is_init(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"
