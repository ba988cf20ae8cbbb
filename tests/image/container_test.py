"""The device in a container, whose systemd has no cgroups to delegate: what the unit promises, it keeps there, too."""

import subprocess
import unittest

import container
import test_death
import test_service
from device import REPOSITORY


class Service(test_service.Service):
    device = staticmethod(container.shared)
    watchdog = "WatchdogSec=6s"


class Death(test_death.Death):
    device = staticmethod(container.shared)


class Boot(unittest.TestCase):
    def setUp(self):
        self.container = container.shared()

    def test_the_system_runs_without_a_failed_unit(self):
        self.assertEqual(self.container.sh("systemctl is-system-running --wait"), "running")
        self.assertEqual(self.container.sh("systemctl --failed --quiet"), "")

    def test_a_limit_that_is_not_enforced_is_reported(self):
        self.container.configure(steady={"command": "sleep infinity", "limits": {"pids_max": 20}})
        steady = self.container.get("/api/processes/steady")
        self.assertEqual((steady["status"], steady["limits_enforced"]), ("running", False))
        self.assertTrue(steady["limits_note"])

    def test_what_is_written_goes_to_the_data_partition_where_there_is_one(self):
        unit, place = "var-lib-iwd.mount", "/var/lib/iwd"
        self.container.sh(f"systemctl start {unit}")
        self.assertNotEqual(self.container.run(f"mountpoint {place}")[0], 0, "there is none")
        self.addCleanup(self.container.run, f"systemctl stop {unit}; umount /data; rmdir /data")
        self.container.sh(f"mkdir -p /data && mount -t tmpfs none /data && systemctl start {unit}")
        self.container.sh(f"touch {place}/kept")
        self.assertEqual(self.container.sh(f"ls /data{place} && stat --format=%a {place}").split(), ["kept", "700"])


def spoil_data(root):
    """Makes a kiosk with a data partition, as the recipes do, and nothing in it that could be mounted."""
    container.make_kiosk(root)
    subprocess.run([REPOSITORY / "buildroot/board/post-build.sh", root], check=True)
    fstab = (root / "etc/fstab").read_text()
    (root / "etc/fstab").write_text(fstab.replace("PARTUUID=6f737375-03 ", "/usr/share/spoiled "))
    (root / "usr/share/spoiled").write_bytes(b"?" * 65536)
    units = ["ossuary-memory.service", "etc-ossuary.mount", "home.mount", "var-lib-iwd.mount", "var-lib-ossuary.mount"]
    subprocess.run(["chroot", root, "systemctl", "--quiet", "preset", *units], check=True)


class WithoutData(unittest.TestCase):
    def test_what_is_written_stays_in_memory_and_the_kiosk_serves(self):
        device = container.Container(spoil_data)
        self.addCleanup(device.cut_power)
        device.wait_for_api()
        for place in "/etc/ossuary", "/home", "/var/lib/iwd", "/var/lib/ossuary":
            self.assertEqual(device.sh(f"findmnt --noheadings --output SOURCE {place}"), f"tmpfs[{place}]")
        self.assertEqual(device.get("/api/system")["disk"]["in_memory"], True)
        device.configure(steady={"command": "sleep infinity"})
        self.assertIn("runs from memory", device.sh("journalctl --quiet --priority=err --unit=ossuary-memory.service"))
        self.assertEqual(device.run("systemctl is-active emergency.target")[1], "inactive\n")
