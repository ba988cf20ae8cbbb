"""The daemon under systemd: stopped, killed, hung, reloaded."""

import unittest

from device import wait_until
from guest import shared

GROUP = "/sys/fs/cgroup/system.slice/ossuary.service"


class Service(unittest.TestCase):
    device = staticmethod(shared)
    # A device's own would take three half minutes to see three hangs.
    watchdog = "WatchdogSec=20s"

    def setUp(self):
        self.guest = self.device()
        self.guest.configure(steady={"command": "sleep infinity"})

    def property(self, name):
        return self.guest.sh(f"systemctl show --property={name} --value ossuary.service")

    def wait_for_another_than(self, daemon):
        """Returns when a daemon serves that is not this one."""
        wait_until(lambda: self.property("MainPID") not in ("0", daemon))
        self.guest.wait_for_api()
        self.guest.wait_for_states({"steady": "running"})

    def last_start(self):
        return self.guest.get("/api/status")["last_start"]["reason"]

    def test_a_stop_leaves_nothing(self):
        # Among them one that wanted to get away.
        self.guest.configure(
            steady={"command": "sleep infinity"},
            forked={"command": "setsid sh -c 'sleep 1000001 & sleep 1000002' & sleep 1000003"},
        )
        wait_until(lambda: self.guest.run("pidof sleep | wc -w")[1].strip() == "4")
        self.guest.sh("systemctl stop ossuary")
        self.assertEqual(self.guest.sh(f"find {GROUP} -name cgroup.procs -exec cat {{}} + 2>/dev/null | cat"), "")
        self.assertEqual(self.guest.run("pidof sleep")[1], "")
        self.assertEqual(self.property("Result"), "success")
        self.assertEqual(self.guest.run("ls /run/ossuary")[0], 2, "a stop that was wanted leaves no note")
        self.guest.sh("systemctl start ossuary")
        self.guest.wait_for_api()
        self.assertEqual(self.last_start(), "clean")

    def test_a_stop_that_runs_out_of_time_leaves_nothing_either(self):
        self.replace_by_one_that_can_hang("TimeoutStopSec=5s")
        self.guest.configure(
            steady={"command": "sleep infinity"},
            forked={"command": "setsid sh -c 'sleep 1000001 & sleep 1000002' & sleep 1000003"},
        )
        wait_until(lambda: self.guest.run("pidof sleep | wc -w")[1].strip() == "4")
        self.hang("thread")
        self.guest.sh("systemctl stop ossuary")
        self.assertEqual(self.property("Result"), "timeout")
        self.assertEqual(self.guest.sh(f"find {GROUP} -name cgroup.procs -exec cat {{}} + 2>/dev/null | cat"), "")
        self.assertEqual(self.guest.run("pidof sleep")[1], "")

    def test_a_killed_daemon_returns_and_reports_why(self):
        daemon = self.property("MainPID")
        self.guest.sh(f"kill -KILL {daemon}")
        self.wait_for_another_than(daemon)
        self.assertEqual(self.guest.sh("cat /run/ossuary/last-result"), "signal")
        self.assertEqual(self.last_start(), "crash")

    def test_a_hung_daemon_is_killed_by_the_watchdog_and_returns(self):
        daemon = self.property("MainPID")
        steady = self.guest.processes()["steady"]["pid"]
        self.guest.sh(f"kill -STOP {daemon}")
        self.wait_for_another_than(daemon)
        self.assertEqual(self.guest.sh("cat /run/ossuary/last-result"), "watchdog")
        self.assertEqual(self.last_start(), "watchdog")
        self.assertEqual(self.guest.processes()["steady"]["pid"], steady, "a process noticed")

    def test_a_daemon_that_hangs_is_killed_and_the_processes_continue(self):
        self.replace_by_one_that_can_hang(self.watchdog)
        steady = self.guest.processes()["steady"]["pid"]
        for fault in "loop", "http", "store":
            daemon = self.property("MainPID")
            self.hang(fault)
            self.wait_for_another_than(daemon)
            self.assertEqual(self.guest.sh("cat /run/ossuary/last-result"), "watchdog", fault)
            self.assertEqual(self.last_start(), "watchdog", fault)
            self.assertEqual(self.guest.processes()["steady"]["pid"], steady, f"a process noticed: {fault}")

    def replace_by_one_that_can_hang(self, setting):
        """The daemon is one with faults until the test is over."""
        # Its name is the last of all, so that it wins.
        unit = "/run/systemd/system/ossuary.service.d/zz-hanging.conf"
        start = "ExecStart=/usr/libexec/ossuary-with-faults daemon --listen :8081"
        lines = f"[Service]\\nExecStart=\\n{start}\\n{setting}\\n"
        self.addCleanup(self.guest.run, f"rm {unit}; systemctl daemon-reload; systemctl restart ossuary")
        self.guest.sh(f"mkdir -p $(dirname {unit}) && printf '{lines}' >{unit} && systemctl daemon-reload")
        self.guest.sh("systemctl restart ossuary")
        self.guest.wait_for_api()
        self.guest.wait_for_states({"steady": "running"})

    def hang(self, fault):
        """See `src/daemon/faults.rs`."""
        daemon = self.property("MainPID")
        self.guest.sh(f"echo {fault} >/run/ossuary/fault && kill -HUP {daemon}")
        wait_until(lambda: self.guest.run("ls /run/ossuary/fault")[0] != 0)

    def test_an_idle_daemon_feeds_the_watchdog(self):
        daemon = self.property("MainPID")
        fed = self.property("WatchdogTimestampMonotonic")
        wait_until(lambda: self.property("WatchdogTimestampMonotonic") != fed)
        self.assertEqual(self.property("MainPID"), daemon)
        wait_until(lambda: self.property("StatusText") == "the process runs")

    def test_a_reload_reads_the_file_and_reports_its_problems(self):
        file = "/etc/ossuary/config.json"
        self.guest.sh(f"""sed -i 's/"steady"/"renamed"/g' {file} && systemctl reload ossuary""")
        # The other one is there until it has ended.
        wait_until(lambda: list(self.guest.processes()) == ["renamed"])
        self.guest.sh(f"echo broken >{file}")
        self.assertNotEqual(self.guest.run("systemctl reload ossuary")[0], 0)
        self.assertEqual(list(self.guest.processes()), ["renamed"])
