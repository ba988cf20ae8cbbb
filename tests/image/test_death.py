"""The daemon is killed, hung or replaced, and the processes continue."""

import os
import re
import unittest
from datetime import datetime, timedelta

from device import wait_until
from guest import shared

DEATHS = int(os.environ.get("OSSUARY_DEATHS", "3"))

GROUP = "/sys/fs/cgroup/system.slice/ossuary.service"

# Prints a number after the other, each line in two pieces: sometimes the daemon dies in the middle of one.
COUNT = "i=0; while :; do i=$((i+1)); printf 'number '; sleep 0.05; echo $i; done"

# Something listens where an X server would: a display to hold.
SCREEN = "systemd-socket-activate --listen=/tmp/.X11-unix/X0 tail --follow /dev/null"


# Names the processes of `forker` that live. (The brackets keep it from naming itself.)
FORKED = "grep --files-with-matches --no-messages 10000[0] /proc/[0-9]*/cmdline"


class Death(unittest.TestCase):
    device = staticmethod(shared)

    def setUp(self):
        self.guest = guest = self.device()
        # Processes that an earlier test stopped or let fail start again.
        guest.sh("systemctl restart ossuary")
        guest.wait_for_api()
        guest.sh(f"mkdir -p /tmp/.X11-unix && rm -f /tmp/.X11-unix/X0 && systemd-run --quiet --unit=screen {SCREEN}")
        self.addCleanup(guest.run, "systemctl stop screen")
        guest.configure(
            kiosk={"type": "chromium", "command": "sh -c 'exec sleep 1000' chromium", "display": ":0"},
            count={"command": COUNT},
            forker={"command": "setsid sh -c 'env -i sleep 1000001 & sleep 1000002' & sleep 1000003"},
            once={"command": "sleep infinity", "restart_on_crash": False},
        )
        self.before = guest.processes()

    def daemon(self):
        return self.guest.sh("systemctl show --property=MainPID --value ossuary")

    def wait_for_another_than(self, daemon):
        wait_until(lambda: self.daemon() not in ("0", daemon))
        self.guest.wait_for_api()

    def assert_nothing_changed(self):
        after = self.guest.processes()
        for id, before in self.before.items():
            for field in "pid", "status", "restarts":
                self.assertEqual(after[id][field], before[field], f"{field} of {id}")
            # Each daemon finds out for itself when the machine was booted, to a millisecond or so.
            moved = datetime.fromisoformat(after[id]["since"]) - datetime.fromisoformat(before["since"])
            self.assertLess(abs(moved), timedelta(seconds=0.1), f"since of {id}")
            self.assertGreaterEqual(after[id]["uptime"], before["uptime"])
        numbers = self.numbers()
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        return len(numbers)

    def numbers(self):
        """What the last run of `count` has printed."""
        _, log = self.guest.api("GET", "/api/processes/count/logs?lines=10000")
        run = log[log.rindex("ossuary run") :]
        return [int(number) for number in re.findall(r"stdout number (\d+)", run)]

    def test_no_process_notices_that_the_daemon_was_killed(self):
        counted = 0
        for _ in range(DEATHS):
            daemon = self.daemon()
            self.guest.sh(f"kill -KILL {daemon}")
            self.wait_for_another_than(daemon)
            self.assertGreater(self.assert_nothing_changed(), counted)
            counted = len(self.numbers())

        # The policy continues: crashes of adopted processes, those that must not restart, whole trees.
        self.guest.sh(f"kill -SEGV {self.before['count']['pid']} {self.before['once']['pid']}")
        self.guest.wait_for_states({"once": "failed"})
        wait_until(lambda: self.guest.processes()["count"]["restarts"] == 1)
        self.guest.api("POST", "/api/processes/forker/stop")
        self.guest.wait_for_states({"forker": "stopped"})
        self.assertEqual(self.guest.run(FORKED)[1], "")
        self.assertEqual(self.guest.sh(f"ls -d {GROUP}/forker.* 2>/dev/null | cat"), "")

    def test_what_dies_with_the_daemon_is_judged_by_the_next_one(self):
        daemon = self.daemon()
        doomed = [self.before[id]["pid"] for id in ("count", "once")]
        self.guest.sh(f"kill -KILL {daemon} {doomed[0]} {doomed[1]}")
        self.wait_for_another_than(daemon)
        self.guest.wait_for_states({"count": "running", "once": "failed", "kiosk": "running"})
        self.assertEqual(self.guest.processes()["count"]["restarts"], 1)
        self.assertEqual(self.guest.processes()["kiosk"]["pid"], self.before["kiosk"]["pid"])

    def test_no_process_notices_a_hung_daemon(self):
        daemon = self.daemon()
        self.guest.sh(f"kill -STOP {daemon}")
        self.wait_for_another_than(daemon)
        self.assert_nothing_changed()

    def test_no_process_notices_an_upgrade(self):
        daemon = self.daemon()
        for _ in range(DEATHS):
            # Another file in the same place, as a package manager puts it there.
            self.guest.sh("cp /usr/bin/ossuary /usr/bin/ossuary.new && mv /usr/bin/ossuary.new /usr/bin/ossuary")
            self.assertIn("has taken over from", self.guest.sh("ossuary upgrade"))
            self.assert_nothing_changed()
        self.assertEqual(self.daemon(), daemon)
        self.assertEqual(self.guest.sh("systemctl is-active ossuary"), "active")

    def test_a_stop_ends_what_was_adopted(self):
        daemon = self.daemon()
        self.guest.sh(f"kill -KILL {daemon}")
        self.wait_for_another_than(daemon)
        self.guest.sh("systemctl stop ossuary")
        self.assertEqual(self.guest.run(FORKED)[1], "")
        self.assertEqual(self.guest.sh(f"find {GROUP} -name cgroup.procs -exec cat {{}} + 2>/dev/null | cat"), "")
        self.guest.sh("systemctl start ossuary")
        self.guest.wait_for_api()
        self.guest.wait_for_states({"kiosk": "running", "once": "running"})
