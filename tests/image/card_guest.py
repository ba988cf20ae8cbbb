"""The card as it is flashed, in QEMU: its own root, kernel and data, and nothing of the tests inside. QEMU has no
firmware of a Raspberry Pi, so it is handed the kernel that lies on the card."""

import functools
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

from device import PATIENCE, REPOSITORY, Device, wait_until
from guest import free_port

# Where the FAT partition begins.
FAT = "@@1M"

# What a card has at least, as the operator is told.
CARD = 2 << 30

# A whole Debian takes minutes to come up on an emulated processor, and longer on a busy machine.
SLOW = 3 * PATIENCE

PASSWORD = "correct horse"


@functools.cache
def image():
    """The card, made on the first call."""
    done = subprocess.run([REPOSITORY / "image/build", "--raw"], stdout=subprocess.PIPE, text=True, check=True)
    return pathlib.Path(done.stdout.splitlines()[-1])


class Card:
    """A card that was flashed. Gone when left."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-flashed-"))
        self.disk = self.directory / "card"
        subprocess.run(["cp", "--sparse=always", image(), self.disk], check=True)
        os.truncate(self.disk, CARD)
        for name in "vmlinuz", "initramfs", "cmdline.txt":
            self.mtools("mcopy", f"::{name}", self.directory / name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def mtools(self, command, *arguments):
        done = subprocess.run(
            [command, "-i", f"{self.disk}{FAT}", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
        )
        return done.stdout.decode(errors="replace")

    def lay(self, document):
        """Puts a file onto the FAT partition, as an operator does."""
        file = self.directory / "ossuary.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        self.mtools("mcopy", "-o", file, "::")

    def files(self):
        """What is on the FAT partition."""
        return {line.removeprefix("::/") for line in self.mtools("mdir", "-b", "::").splitlines()}

    def letter(self):
        return self.mtools("mtype", "::ossuary.txt")

    def fat(self):
        """The FAT partition, every byte of it."""
        with open(self.disk, "rb") as disk:
            disk.seek(1 << 20)
            return disk.read(128 << 20)


class CardGuest(Device):
    """A device that was started from a card. Ends when left."""

    def __init__(self, card):
        self.card = card
        self.port = free_port()
        self.cookie = None
        words = (card.directory / "cmdline.txt").read_text().replace("console=tty3", "console=ttyAMA0").strip()
        self.qemu = subprocess.Popen(
            ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "2048"]
            + ["-nodefaults", "-display", "none", "-serial", f"file:{card.directory}/console"]
            + ["-kernel", card.directory / "vmlinuz", "-initrd", card.directory / "initramfs"]
            # An emulated guest on a busy machine may be starved for longer than a device would be.
            + ["-append", f"{words} net.ifnames=0 systemd.watchdog_sec=120"]
            + ["-drive", f"if=virtio,file={card.disk},format=raw", "-device", "virtio-rng-pci"]
            + ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-10.0.2.15:8081"]
            + ["-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-gpu-pci"],
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

    def wait_for_api(self):
        wait_until(lambda: self.api("GET", "/healthz", timeout=30)[0] == 200, SLOW)

    def connect(self, timeout):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def credential(self):
        """The owner signs in."""
        return {"Cookie": self.cookie} if self.cookie else {}

    def sign_in(self, password=PASSWORD):
        connection = self.connect(PATIENCE)
        try:
            fields = {"Content-Type": "application/json"}
            connection.request("POST", "/api/login", json.dumps({"password": password}), fields)
            answer = connection.getresponse()
            answer.read()
            self.cookie = (answer.getheader("Set-Cookie") or "").split(";")[0]
        finally:
            connection.close()
        return answer.status
