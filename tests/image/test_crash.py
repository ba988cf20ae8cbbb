"""The worst: a kernel that is gone, and a power cut while something is being written."""

import os
import random
import tempfile
import threading
import unittest

from guest import Guest, new_disk, shared

CUTS = int(os.environ.get("OSSUARY_POWER_CUTS", "3"))


class Crash(unittest.TestCase):
    def test_a_device_whose_kernel_is_gone_resets_itself(self):
        guest, boot = shared(), shared().boot
        # Without this the kernel would restart the device automatically, and prove nothing.
        guest.sh("echo 0 >/proc/sys/kernel/panic")
        guest.send("echo c >/proc/sysrq-trigger")
        guest.wait_for_boot()
        self.assertNotEqual(guest.boot, boot)
        guest.wait_for_api()
        print("bootstatus:", guest.sh("cat /sys/class/watchdog/watchdog0/bootstatus"))
        self.assertEqual(guest.get("/api/status")["last_start"]["reason"], "hardware watchdog")

    def test_a_power_cut_leaves_the_old_configuration_or_the_new_one(self):
        seed = random.randrange(1 << 32)
        print(f"{CUTS} power cuts, seed {seed}")
        dice = random.Random(seed)
        kept = asked = 0
        with tempfile.TemporaryDirectory() as directory:
            disk = new_disk(directory)
            for _ in range(CUTS):
                with Guest(disk=disk) as guest:
                    asked = kept = self.number(guest, kept, asked)
                    cut = threading.Timer(dice.uniform(0.1, 3), guest.qemu.kill)
                    cut.start()
                    try:
                        while True:
                            asked += 1
                            self.assertEqual(guest.api("PUT", "/api/config", numbered(asked))[0], 200)
                            kept = asked
                    except OSError:
                        cut.join()
            with Guest(disk=disk) as guest:
                self.number(guest, kept, asked)

    def number(self, guest, kept, asked):
        """Which configuration a guest has come up with: the last that was kept, or one under way when the power went."""
        guest.wait_for_api()
        status = guest.get("/api/status")
        # Until something was kept the mark of the first daemon may have been cut off as well.
        if kept:
            self.assertEqual(status["last_start"]["reason"], "power")
        state = status["configuration"]
        found = guest.get("/api/config")["processes"].get("counter", {"name": "0"})
        number = int(found["name"])
        print(f"kept {kept}, asked for {asked}, found {number}")
        self.assertEqual(state["problems"], [])
        self.assertEqual(state["source"], "file" if number else "empty")
        self.assertTrue(kept <= number <= asked)
        return number


def numbered(number):
    """A configuration that differs from all others, and that is longer than a block of the disk."""
    counter = {"name": str(number), "command": "sleep infinity", "env": {"PADDING": "x" * 8192}, "autostart": False}
    return {"version": 3, "processes": {"counter": counter}}
