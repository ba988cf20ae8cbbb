"""The device in a container, whose systemd has no cgroups to delegate: what the unit promises, it keeps there, too."""

import unittest

import container
import test_death
import test_service


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

    def test_a_limit_that_nobody_enforces_is_told(self):
        self.container.configure(steady={"command": "sleep infinity", "limits": {"pids_max": 20}})
        steady = self.container.get("/api/processes/steady")
        self.assertEqual((steady["status"], steady["limits_enforced"]), ("running", False))
        self.assertTrue(steady["limits_note"])
