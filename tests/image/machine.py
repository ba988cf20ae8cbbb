"""An aarch64 machine in QEMU: it begins with a disk in it, and ends from one instant to the next."""

import http.client
import pathlib
import shutil
import socket
import subprocess
import tempfile

from device import Device


class Machine(Device):
    """A machine that runs. Ends when left."""

    def __init__(self, *, kernel, initramfs, drive, memory, append, more=()):
        """`drive`: QEMU's words for the disk. `memory`: in MiB. `append`: the kernel's command line. `more`: devices."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-machine-"))
        self.console = self.directory / "console"
        self.port = free_port()
        self.qemu = subprocess.Popen(
            ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", str(memory)]
            + ["-nodefaults", "-display", "none", "-serial", f"file:{self.console}"]
            + ["-monitor", f"unix:{self.directory}/monitor,server,nowait"]
            + ["-kernel", kernel, "-initrd", initramfs, "-append", f"{append} net.ifnames=0"]
            + ["-drive", f"if=none,id=disk,{drive}", "-device", "virtio-blk-pci,drive=disk"]
            + ["-device", "virtio-rng-pci"]
            + ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-10.0.2.15:8081"]
            + ["-device", "virtio-net-pci,netdev=net,romfile=", *more],
            stdin=subprocess.DEVNULL,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut_power()

    def cut_power(self):
        """From one instant to the next, nothing runs any more."""
        self.qemu.kill()
        self.qemu.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def connect(self, timeout):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def last_words(self):
        return self.console.read_text(errors="replace")[-4000:]

    def monitor(self, command):
        """What QEMU says to a command of its own."""
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(60)
            wire.connect(f"{self.directory}/monitor")
            said = wire.makefile("rwb", buffering=0)
            read_to(said, b"(qemu) ")
            said.write(f"{command}\n".encode())
            return read_to(said, b"(qemu) ").decode(errors="replace")


def read_to(wire, end):
    """What comes until this."""
    heard = b""
    while not heard.endswith(end):
        part = wire.read(4096)
        if not part:
            raise ConnectionError("QEMU has ended")
        heard += part
    return heard


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
