"""The overlay that every recipe puts onto its root."""

import os
import pathlib
import re
import shutil
import tempfile
import unittest

from tree import BUILDROOT, LAYER, OVERLAY, REPOSITORY, TARGET, UNITS, run, variable

# What a device has and this machine need not.
PROGRAMS = ["cage", "ossuary", "seatd", "sh", "sleep", "weston"]

# Where man-db is installed, systemd looks for the pages that a unit names, among those of this machine.
VERIFY = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"]


class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A root with the units of this machine's systemd, the overlay's, and something where each program is."""
        cls.root = root = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-units-"))
        cls.addClassCleanup(shutil.rmtree, root)
        system = root / "usr/lib/systemd/system"
        shutil.copytree("/usr/lib/systemd/system", system, symlinks=True)
        shutil.copytree(OVERLAY, root, dirs_exist_ok=True)
        (root / "usr/bin").mkdir()
        for name in PROGRAMS:
            shutil.copy("/bin/true", root / "usr/bin" / name)
        (system / "seatd.service").write_text("[Service]\nExecStart=/usr/bin/seatd -g seat\n")
        for place in "bin", "lib":
            (root / place).symlink_to(f"usr/{place}")

    def test_systemd_finds_no_fault_with_any_unit(self):
        units = sorted(it.name for it in UNITS.iterdir() if it.is_file()) + ["seatd.service"]
        self.assertGreaterEqual(len(units), 9)
        code, text = run(*VERIFY, f"--root={self.root}", *units)
        self.assertEqual((code, text), (0, ""))

    def test_it_would_find_one(self):
        broken = self.root / "usr/lib/systemd/system/broken.service"
        broken.write_text("[Service]\nExecStart=/usr/bin/nothing\nRestrat=always\n")
        self.addCleanup(broken.unlink)
        code, text = run(*VERIFY, f"--root={self.root}", broken.name)
        self.assertNotEqual((code, text), (0, ""))

    def test_the_screen_waits_for_neither_the_network_nor_the_clock_and_never_gives_up(self):
        for name in "ossuary-cage.service", "ossuary-weston.service":
            text = (UNITS / name).read_text()
            waited_for = " ".join(re.findall("^(?:After|Requires|Wants)=(.*)$", text, re.MULTILINE)).split()
            self.assertEqual(set(waited_for), {"seatd.service", "user@1000.service", "user-runtime-dir@1000.service"})
            for line in "Restart=always", "StartLimitIntervalSec=0", "User=kiosk", "TTYPath=/dev/tty1":
                self.assertIn(f"\n{line}\n", text, name)

    def test_units_that_can_start_at_boot_are_enabled(self):
        presets = "".join(it.read_text() for it in (OVERLAY / "usr/lib/systemd/system-preset").iterdir())
        for unit in UNITS.iterdir():
            if unit.is_file() and "[Install]" in unit.read_text():
                self.assertIn(f"enable {unit.name}\n", presets)

    def test_a_card_is_asked_before_anything_reads_what_it_may_say(self):
        text = (UNITS / "ossuary-first-boot.service").read_text()
        before = set(" ".join(re.findall("^Before=(.*)$", text, re.MULTILINE)).split())
        self.assertLessEqual({"ossuary-hostname.service", "ossuary.service", "iwd.service"}, before)
        for name in "ossuary-first-boot.service", "ossuary-hostname.service":
            text = (UNITS / name).read_text()
            # The data partition, and not the network or the clock.
            self.assertEqual(re.findall("^(?:After|Requires|Wants)=(.*)$", text, re.MULTILINE), ["local-fs.target"])
        self.assertNotIn("first-boot", (UNITS / "ossuary.service").read_text(), "a broken file keeps no kiosk dark")

    def test_what_is_written_outlives_a_start(self):
        for unit in UNITS.glob("*.mount"):
            text = unit.read_text()
            where = re.search("^Where=(.*)$", text, re.MULTILINE)[1]
            self.assertEqual(unit.name, where[1:].replace("/", "-") + ".mount")
            self.assertIn(f"\nWhat=/data{where}\n", text)
            self.assertIn("\nConditionPathIsMountPoint=/data\n", text, "a system without a data partition starts, too")


class Account(unittest.TestCase):
    def test_every_recipe_makes_the_same(self):
        text = (OVERLAY / "usr/lib/sysusers.d/ossuary.conf").read_text()
        name, uid, comment, home, shell = re.search(r'^u (\S+) (\d+) "(.*)" (\S+) (\S+)$', text, re.MULTILINE).groups()
        groups = re.findall(rf"^m {name} (\S+)$", text, re.MULTILINE)
        self.assertEqual(name, "kiosk")

        make = (BUILDROOT / "package/ossuary/ossuary.mk").read_text()
        table = re.search(r"^define OSSUARY_USERS\n\t(.*)\nendef$", make, re.MULTILINE)[1].split()
        self.assertEqual(table, [name, uid, name, uid, "*", home, shell, ",".join(groups), comment])

        words = variable("USERADD_PARAM:${PN}")
        given = dict(zip(words[:-1:2], words[1:-1:2], strict=False))
        self.assertEqual(given["--uid"], uid)
        self.assertEqual(given["--groups"], ",".join(groups))
        self.assertEqual(given["--home-dir"], home)
        self.assertEqual(words[-1], name)
        self.assertIn(f"--gid {uid} {name}", " ".join(variable("GROUPADD_PARAM:${PN}")))

        # The screen belongs to it, by its number, because that is how its runtime directory is called.
        for unit in "ossuary-cage.service", "ossuary-weston.service":
            self.assertIn(f"user-runtime-dir@{uid}.service", (UNITS / unit).read_text())


class FirstConfiguration(unittest.TestCase):
    def test_each_is_one_the_daemon_takes(self):
        browser = LAYER / "dynamic-layers/chromium-browser-layer/recipes-core/ossuary-chromium/ossuary-chromium"
        files = [BUILDROOT / "board/overlay/usr/share/ossuary/config.json", browser / "config.json"]
        for file in files:
            self.assertEqual(run(TARGET / "debug/ossuary", "check", file), (0, "ok\n"), file)
            # The daemon writes its welcome page there, which explains how to claim a new kiosk.
            source = (REPOSITORY / "src/sys/storage/run_dir.rs").read_text()
            welcome = re.search(r'WELCOME: &str = "([^"]*)"', source)[1]
            self.assertIn(f'"url": "file:///run/ossuary/{welcome}"', file.read_text())

    def test_it_is_put_where_the_daemon_looks(self):
        line = "C /etc/ossuary/config.json 0600 root root - /usr/share/ossuary/config.json\n"
        self.assertIn(line, (OVERLAY / "usr/lib/tmpfiles.d/ossuary.conf").read_text())


@unittest.skipUnless(os.getuid() == 0 and run("unshare", "--mount", "true")[0] == 0, "a disk is pretended by root alone")
class Grow(unittest.TestCase):
    """What the kernel reports of a disk is simulated; the disk, its table and the program that changes it are real."""

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-grow-"))
        self.addCleanup(shutil.rmtree, self.place)
        self.disk = self.place / "card"
        with open(self.disk, "wb") as file:
            file.truncate(64 << 20)
        table = "label: dos\n2048,8192,c,*\n10240,16384,83\n26624,16384,83\n"
        code, text = run("sfdisk", "--quiet", self.disk, input=table)
        self.assertEqual(code, 0, text)

    def grow(self):
        script = f"""
            set -e
            mount -t tmpfs none /sys/class/block
            mkdir -p /sys/class/block/card/card3
            ln -s card/card3 /sys/class/block/card3
            echo {self.disk.stat().st_size // 512} >/sys/class/block/card/size
            echo 3 >/sys/class/block/card3/partition
            echo {self.partitions()[2][0]} >/sys/class/block/card3/start
            echo {self.partitions()[2][1]} >/sys/class/block/card3/size
            mount -t tmpfs none /mnt
            printf '#!/bin/sh\\necho "$@"' >/mnt/partx
            chmod +x /mnt/partx
            cp /mnt/partx /mnt/udevadm
            touch /dev/card
            trap 'umount /dev/card; rm /dev/card' EXIT
            mount --bind {self.disk} /dev/card
            PATH=/mnt:$PATH {OVERLAY}/usr/lib/ossuary/grow /dev/card3
        """
        code, text = run("unshare", "--mount", "sh", "-c", script)
        self.assertEqual(code, 0, text)
        return text

    def partitions(self):
        lines = run("sfdisk", "--dump", self.disk)[1]
        return [tuple(map(int, it)) for it in re.findall(r"start= *(\d+), size= *(\d+)", lines)]

    def test_the_last_partition_takes_the_rest_and_the_kernel_is_informed(self):
        before = self.partitions()
        self.assertEqual(self.grow(), "--update --nr 3 /dev/card\nsettle\n")
        after = self.partitions()
        self.assertEqual(after[:2], before[:2])
        self.assertEqual(after[2][0], before[2][0])
        self.assertEqual(sum(after[2]), (64 << 20) // 512)

    def test_a_card_that_is_full_is_not_written_to(self):
        self.grow()
        before = self.disk.stat().st_mtime_ns, self.disk.read_bytes()
        self.assertEqual(self.grow(), "")
        self.assertEqual((self.disk.stat().st_mtime_ns, self.disk.read_bytes()), before)
