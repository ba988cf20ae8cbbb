"""The card as it is flashed, in QEMU: its own root, kernel and data, and nothing of the tests inside. QEMU has no
firmware of a Raspberry Pi, so it is handed the kernel that lies on the card."""

import base64
import collections
import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

from device import PATIENCE, REPOSITORY, wait_until
from machine import Machine

# Where the FAT partition begins.
FAT = "@@1M"

# The smallest card that docs/image.md allows.
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

    def put(self, document):
        """Puts a file onto the FAT partition, as an operator does."""
        file = self.directory / "ossuary.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        self.mtools("mcopy", "-o", file, "::")

    def files(self):
        """What is on the FAT partition."""
        return {line.removeprefix("::/") for line in self.mtools("mdir", "-b", "::").splitlines()}

    def letter(self):
        return self.mtools("mtype", "::ossuary.txt")

    def partitions(self):
        """Where each begins and how long it is, in bytes."""
        table = json.loads(subprocess.check_output(["sfdisk", "--json", self.disk]))["partitiontable"]["partitions"]
        return [(it["start"] * 512, it["size"] * 512) for it in table]

    def fill_data(self, junk):
        """Every byte of the data partition becomes one of these."""
        start, size = self.partitions()[2]
        with open(self.disk, "r+b") as disk:
            disk.seek(start)
            disk.write(junk(size))

    def lose_data(self):
        """The data partition is gone, and so is what was in it."""
        self.fill_data(bytes)
        subprocess.run(["sfdisk", "--quiet", "--delete", self.disk, "3"], check=True)

    def spoil_data(self):
        """The data partition is there, and nothing that any program could read is in it."""
        self.fill_data(os.urandom)

    def format_data(self):
        """Formats the data partition, as docs/image.md describes."""
        start, size = self.partitions()[2]
        made = ["mke2fs", "-q", "-F", "-t", "ext4", "-L", "ossuary-data", "-E", f"offset={start}"]
        subprocess.run([*made, self.disk, f"{size >> 10}k"], check=True)

    def behind_the_root(self):
        """What identifies everything from the data partition on."""
        start, size = self.partitions()[1]
        with open(self.disk, "rb") as disk:
            disk.seek(start + size)
            return hashlib.file_digest(disk, "sha256").hexdigest()

    def check(self):
        """What is wrong with the file systems, once the journal of the data partition has been played back, as every
        start does first. Nothing, most likely. They are looked at in a copy: the card stays as the power left it."""
        copy = self.directory / "checked"
        subprocess.run(["cp", "--sparse=always", self.disk, copy], check=True)
        boot, root, data = (self.directory / f"partition{number}" for number in (1, 2, 3))
        for (start, size), file in zip(self.partitions(), (boot, root, data)):
            subprocess.run(
                ["dd", f"if={copy}", f"of={file}", "bs=1M", f"skip={start}", f"count={size}"]
                + ["iflag=fullblock,skip_bytes,count_bytes", "conv=sparse", "status=none"],
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

    def __init__(self, card, patience=300):
        """`patience`: how long the data partition is awaited, in seconds. An emulated guest on a busy machine may be starved
        for longer than a device would be, and would take it for lost."""
        self.admission = {}
        self.shell = None
        self.meeting = tempfile.TemporaryDirectory(prefix="ossuary-shell-")
        words = (card.directory / "cmdline.txt").read_text().replace("console=tty3", "console=ttyAMA0").strip()
        super().__init__(
            kernel=card.directory / "vmlinuz",
            initramfs=card.directory / "initramfs",
            drive=f"file={card.disk},format=raw",
            memory=2048,
            # There is no 3D in it. Where that is done by the processor (llvmpipe), wlroots hands pictures on that are half
            # drawn, and there they stay until something else changes.
            append=f"{words} systemd.setenv=WLR_RENDERER=pixman systemd.watchdog_sec=120 systemd.debug_shell=ttyAMA1"
            f" systemd.default_device_timeout_sec={patience}",
            more=["-device", "virtio-gpu-pci"]
            + ["-serial", f"unix:{self.meeting.name}/shell,server=on,wait=off"],
        )

    def cut_power(self):
        super().cut_power()
        if self.shell:
            self.shell.close()
        self.meeting.cleanup()

    # ---- the shell ----

    def run(self, command, timeout=PATIENCE):
        """Runs a shell command in the guest: its exit code, and what it printed. The card has no login: systemd is asked to
        put root's shell on a serial line."""
        if self.shell is None:
            self.shell = Shell(f"{self.meeting.name}/shell")
        return self.shell.run(command, timeout)

    def wait_for_api(self):
        wait_until(lambda: self.api("GET", "/healthz", timeout=30)[0] == 200, SLOW)

    def credential(self):
        return self.admission

    def get_in(self):
        """By a token, as root gets one without a password."""
        token = self.sh("ossuary token add --name tests --role admin 2>/dev/null")
        self.admission = {"Authorization": f"Bearer {token}"}

    def colours(self):
        """The colours that the screen shows, and how many pixels have each: of every 7th, or counting would keep the
        guest from painting."""
        picture = self.directory / "screen"
        self.monitor(f"screendump {picture}")
        kind, size, depth, pixels = picture.read_bytes().split(b"\n", 3)
        if (kind, depth) != (b"P6", b"255"):
            raise AssertionError(f"not a picture: {kind}, {size}, {depth}")
        return collections.Counter(zip(pixels[0::21], pixels[1::21], pixels[2::21]))

    def sign_in(self, password=PASSWORD):
        """As the owner does."""
        connection = self.connect(PATIENCE)
        try:
            fields = {"Content-Type": "application/json"}
            connection.request("POST", "/api/login", json.dumps({"password": password}), fields)
            answer = connection.getresponse()
            answer.read()
            cookie = answer.getheader("Set-Cookie")
            self.admission = {"Cookie": cookie.split(";")[0]} if cookie else {}
        finally:
            connection.close()
        return answer.status


class Shell:
    """A shell on a line, which shows what is typed, too."""

    def __init__(self, line):
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(line)
        self.heard = b""
        self.number = 0
        # What is typed before it is there is lost.
        wait_until(lambda: self.run("true", 5) == (0, ""))

    def close(self):
        self.line.close()

    def run(self, command, timeout):
        self.number += 1
        said = f"/run/said-{self.number}"
        command = base64.b64encode(command.encode()).decode()
        run = f'sh -c "$(echo {command} | base64 -d)" >{said} 2>&1 </dev/null'
        self.line.sendall(f'{run}; echo "@{self.number} $? $(base64 -w0 {said})@"; rm {said}\n'.encode())
        answer = re.compile(rb"@%d (\d+) ([\w+/=]*)@" % self.number)
        self.line.settimeout(timeout)
        while not (found := answer.search(self.heard)):
            part = self.line.recv(65536)
            if not part:
                raise ConnectionError("QEMU has ended")
            self.heard += part
        self.heard = self.heard[found.end() :]
        code, output = found.groups()
        return int(code), base64.b64decode(output).decode(errors="replace")
