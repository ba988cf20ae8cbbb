"""A whole aarch64 device in QEMU, and an agent inside it."""

import atexit
import base64
import functools
import pathlib
import socket
import subprocess
import tempfile
import time

from device import PATIENCE, made
from machine import Machine


@functools.cache
def shared():
    """The guest of all tests that leave it as it was; it starts with the first of them."""
    guest = Guest()
    atexit.register(guest.cut_power)
    guest.wait_for_api()
    return guest


class Guest(Machine):
    """A running guest. Ends, and forgets what was written, when left."""

    def __init__(self, *, disk=None, append=""):
        """`disk`: a disk that keeps what is written (see `new_disk`). `append`: for the kernel's command line."""
        self.wire = None
        self.token = None
        self.number = 0
        self.received = b""
        self.meeting = tempfile.TemporaryDirectory(prefix="ossuary-agent-")
        agent = f"{self.meeting.name}/agent"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(agent)
        listener.listen()
        listener.settimeout(PATIENCE)
        parts = made("card")
        super().__init__(
            kernel=parts / "linux",
            initramfs=parts / "initramfs",
            drive=f"file={disk},format=qcow2" if disk else f"file={parts / 'card.ext4'},format=raw,snapshot=on",
            memory=1024,
            # An emulated guest on a busy machine may be starved for longer than a device would be.
            append=f"console=ttyAMA0 quiet systemd.watchdog_sec=60 {append}",
            more=["-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={agent}"]
            + ["-device", "virtserialport,chardev=agent,name=agent"]
            + ["-device", "i6300esb", "-action", "watchdog=reset"],
        )
        try:
            with listener:
                self.wire, _ = listener.accept()
            self.wait_for_boot()
        except BaseException:
            self.cut_power()
            raise

    def cut_power(self):
        super().cut_power()
        if self.wire:
            self.wire.close()
        self.meeting.cleanup()

    # ---- the agent ----

    def wait_for_boot(self):
        """Returns when a guest that starts or restarts can run commands."""
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
                self.qemu.kill()  # or the next command would wait as long
                raise AssertionError(f"the guest is silent; its console:\n{self.last_words()}") from None
            if not part:
                raise AssertionError(f"QEMU has ended; the guest's console:\n{self.last_words()}")
            self.received += part
        line, _, self.received = self.received.partition(b"\n")
        return line

    def credential(self):
        """Root's daemon is asked for a token at the first use, and again where the guest has forgotten it."""
        if self.token is None:
            code, output = self.run("ossuary token add --name tests --role admin 2>/dev/null", PATIENCE)
            if code != 0:
                raise ConnectionError(f"the guest makes no token: {output}")
            self.token = output.strip()
        return {"Authorization": f"Bearer {self.token}"}


def new_disk(directory):
    """A disk for a guest that keeps what is written, as it came from the factory."""
    disk = pathlib.Path(directory) / "disk.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", made("card") / "card.ext4", disk]
    subprocess.run(command, check=True)
    return disk
