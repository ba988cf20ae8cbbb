"""The card as it is flashed, in QEMU: its own root, kernel and data, and nothing of the tests inside. QEMU has no
firmware of a Raspberry Pi, so it is handed the kernel that lies on the card."""

import collections
import functools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from device import PATIENCE, REPOSITORY, wait_until
from machine import Machine

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


def on_root(request):
    """What debugfs answers of the card's root."""
    table = json.loads(subprocess.check_output(["sfdisk", "--json", image()]))["partitiontable"]["partitions"]
    root = f"{image()}?offset={table[1]['start'] * 512}"
    return subprocess.run(["debugfs", "-R", request, root], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


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

    def check(self):
        """What is wrong with the file systems, once the journal of the data partition has been played back, as every
        start does first. Nothing, most likely. They are looked at in a copy: the card stays as the power left it."""
        copy = self.directory / "checked"
        subprocess.run(["cp", "--sparse=always", self.disk, copy], check=True)
        table = json.loads(subprocess.check_output(["sfdisk", "--json", copy]))["partitiontable"]["partitions"]
        boot, root, data = (self.directory / f"partition{number}" for number in (1, 2, 3))
        for place, file in zip(table, (boot, root, data)):
            subprocess.run(
                ["dd", f"if={copy}", f"of={file}", "bs=512", f"skip={place['start']}", f"count={place['size']}"]
                + ["iflag=fullblock", "conv=sparse", "status=none"],
                check=True,
            )
        copy.unlink()
        subprocess.run(["e2fsck", "-p", "-E", "journal_only", data], stdout=subprocess.DEVNULL)
        wrong = []
        for command in ["fsck.vfat", "-n", boot], ["e2fsck", "-fn", root], ["e2fsck", "-fn", data]:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                wrong.append(f"{command[0]} {command[-1].name} came to {done.returncode}:\n{done.stdout}")
        for file in boot, root, data:
            file.unlink()
        return "\n".join(wrong)

    def fat(self):
        """The FAT partition, every byte of it."""
        with open(self.disk, "rb") as disk:
            disk.seek(1 << 20)
            return disk.read(128 << 20)


class CardGuest(Machine):
    """A device that was started from a card. Ends when left."""

    def __init__(self, card):
        self.cookie = None
        words = (card.directory / "cmdline.txt").read_text().replace("console=tty3", "console=ttyAMA0").strip()
        super().__init__(
            kernel=card.directory / "vmlinuz",
            initramfs=card.directory / "initramfs",
            drive=f"file={card.disk},format=raw",
            memory=2048,
            # An emulated guest on a busy machine may be starved for longer than a device would be.
            append=f"{words} systemd.watchdog_sec=120",
            more=["-device", "virtio-gpu-pci"],
        )

    def wait_for_api(self):
        wait_until(lambda: self.api("GET", "/healthz", timeout=30)[0] == 200, SLOW)

    def credential(self):
        """The owner signs in."""
        return {"Cookie": self.cookie} if self.cookie else {}

    def colours(self):
        """The colours that the screen shows, and how many pixels have each."""
        picture = self.directory / "screen"
        self.monitor(f"screendump {picture}")
        kind, size, depth, pixels = picture.read_bytes().split(b"\n", 3)
        if (kind, depth) != (b"P6", b"255"):
            raise AssertionError(f"not a picture: {kind}, {size}, {depth}")
        return collections.Counter(zip(pixels[0::3], pixels[1::3], pixels[2::3]))

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
