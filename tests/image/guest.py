"""A whole aarch64 device in QEMU, and an agent inside it."""

import atexit
import base64
import functools
import http.client
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from device import PATIENCE, Device, made


@functools.cache
def shared():
    """The guest of all tests that leave it as it was; it starts with the first of them."""
    guest = Guest()
    atexit.register(guest.cut_power)
    guest.wait_for_api()
    return guest


class Guest(Device):
    """A running guest. Ends, and forgets what was written, when left."""

    def __init__(self, *, disk=None, append=""):
        """`disk`: a disk that keeps what is written (see `new_disk`). `append`: for the kernel's command line."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-guest-"))
        self.console = self.directory / "console"
        self.port = free_port()
        self.wire = None
        self.token = None
        self.number = 0
        self.received = b""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{self.directory}/agent")
        listener.listen()
        listener.settimeout(PATIENCE)
        parts = made("card")
        drive = f"file={disk},format=qcow2" if disk else f"file={parts / 'card.ext4'},format=raw,snapshot=on"
        self.qemu = subprocess.Popen(
            ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1024"]
            + ["-nodefaults", "-display", "none", "-serial", f"file:{self.console}"]
            + ["-kernel", parts / "linux", "-initrd", parts / "initramfs"]
            # An emulated guest on a busy machine may be starved for longer than a device would be.
            + ["-append", f"console=ttyAMA0 quiet net.ifnames=0 systemd.watchdog_sec=60 {append}"]
            + ["-drive", f"if=virtio,{drive}", "-device", "virtio-rng-pci"]
            + ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-10.0.2.15:8081"]
            + ["-device", "virtio-net-pci,netdev=net,romfile="]
            + ["-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={self.directory}/agent"]
            + ["-device", "virtserialport,chardev=agent,name=agent"]
            + ["-device", "i6300esb", "-action", "watchdog=reset"],
            stdin=subprocess.DEVNULL,
        )
        try:
            with listener:
                self.wire, _ = listener.accept()
            self.wait_for_boot()
        except BaseException:
            self.cut_power()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut_power()

    def cut_power(self):
        """From one instant to the next, nothing runs any more."""
        self.qemu.kill()
        self.qemu.wait()
        if self.wire:
            self.wire.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- the agent ----

    def wait_for_boot(self):
        """Returns when a guest that starts, or starts anew, has come so far that it runs commands."""
        while True:
            word, *rest = self.read_line(PATIENCE).split()
            if word == b"hello":
                self.boot = rest[0].decode()
                return

    def run(self, command, timeout=PATIENCE):
        """Runs a shell command in the guest: its exit code, and what it printed."""
        self.send(command, timeout)
        while True:
            number, code, *output = self.read_line(timeout + PATIENCE).split()
            if number == str(self.number).encode():
                return int(code), base64.b64decode(b"".join(output)).decode(errors="replace")

    def send(self, command, timeout=PATIENCE):
        """The same without waiting: for what the guest does not survive."""
        self.number += 1
        line = f"{self.number} {timeout} {base64.b64encode(command.encode()).decode()}\n"
        self.wire.sendall(line.encode())

    def read_line(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self.received:
            self.wire.settimeout(max(end - time.monotonic(), 0.001))
            try:
                part = self.wire.recv(65536)
            except TimeoutError:
                self.qemu.kill()  # or whatever is asked of it next would wait as long
                raise AssertionError(f"the guest is silent; its console:\n{self.last_words()}") from None
            if not part:
                raise AssertionError(f"QEMU has ended; the guest's console:\n{self.last_words()}")
            self.received += part
        line, _, self.received = self.received.partition(b"\n")
        return line

    def last_words(self):
        return self.console.read_text(errors="replace")[-4000:]

    def credential(self):
        """Root's daemon is asked for a token at the first use, and again where the guest has forgotten it."""
        if self.token is None:
            code, output = self.run("ossuary token add --name tests --role admin 2>/dev/null", PATIENCE)
            if code != 0:
                raise ConnectionError(f"the guest makes no token: {output}")
            self.token = output.strip()
        return {"Authorization": f"Bearer {self.token}"}

    def connect(self, timeout):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)


def new_disk(directory):
    """A disk for a guest that keeps what is written, as it came from the factory."""
    disk = pathlib.Path(directory) / "disk.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", made("card") / "card.ext4", disk]
    subprocess.run(command, check=True)
    return disk


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
