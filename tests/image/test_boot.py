"""From power to the page: what a device is like when it has come up."""

import unittest

from guest import shared

# What an idle kiosk with ten processes may hold in memory. The browser needs the rest.
RESIDENT_MAX = 3_000_000


class Boot(unittest.TestCase):
    def setUp(self):
        self.guest = shared()

    def test_the_kiosk_serves(self):
        self.assertEqual(self.guest.api("GET", "/healthz")[0], 200)
        self.assertEqual(self.guest.get("/api/status")["configuration"]["problems"], [])
        self.assertEqual(self.guest.get("/api/system")["architecture"], "aarch64")

    def test_the_system_runs_without_a_failed_unit(self):
        self.assertEqual(self.guest.sh("systemctl is-system-running --wait"), "running")
        self.assertEqual(self.guest.sh("systemctl --failed --quiet"), "")

    def test_systemd_finds_no_fault_with_the_unit(self):
        self.assertEqual(self.guest.sh("systemd-analyze verify ossuary.service 2>&1"), "")

    def test_nothing_that_may_be_missing_is_waited_for(self):
        # Each is a start after what may never come: a network, a true clock, a display, a pause.
        chain = self.guest.sh("systemd-analyze critical-chain ossuary.service")
        after = self.guest.sh("systemctl show --property=After --property=Requires --property=Wants ossuary.service")
        self.assertIn("ossuary.service", chain)
        for unwanted in "network", "time-s", "timesync", "wait", "sleep", "graphical", "settle":
            self.assertNotIn(unwanted, chain)
            self.assertNotIn(unwanted, after)

    def test_a_wedged_system_is_reset_by_the_hardware(self):
        # The kernel's command line lengthens the time for a guest; that systemd holds the device is the overlay's doing.
        self.assertEqual(self.guest.sh("systemctl show --property=WatchdogDevice"), "WatchdogDevice=/dev/watchdog0")
        self.assertIn("RuntimeWatchdogSec=15s", self.guest.sh("systemd-analyze cat-config systemd/system.conf"))

    def test_the_journal_stays_in_memory(self):
        self.assertEqual(self.guest.sh("ls /var/log/journal 2>/dev/null | wc -l"), "0")
        self.guest.sh("ls /run/log/journal/*/system.journal")

    def test_processes_get_an_account_that_may_use_screen_and_sound(self):
        groups = self.guest.sh("id --name --groups kiosk").split()
        self.assertLessEqual({"video", "audio", "input", "render"}, set(groups))
        self.assertEqual(self.guest.sh("stat --format=%U:%a /home/kiosk"), "kiosk:700")

    def test_secrets_are_root_s_and_profiles_can_be_reached(self):
        modes = "stat --format=%a /etc/ossuary /var/lib/ossuary /run/ossuary"
        self.assertEqual(self.guest.sh(modes).split(), ["700", "711", "755"])

    def test_ten_processes_cost_little_memory(self):
        self.guest.configure(**{f"p{n}": {"command": "sleep infinity"} for n in range(10)})
        resident = self.guest.get("/api/system")["memory"]["daemon"]
        print(f"the daemon with ten processes, in the guest: {resident} bytes resident")
        self.assertLess(resident, RESIDENT_MAX)
