"""What a process may use is enforced by the kernel, or it is said why not."""

import unittest

from device import wait_until
from guest import Guest, shared

MIB = 1 << 20

# Takes half a gibibyte, by keeping a line that long.
GREEDY = {"command": "head --bytes=512M /dev/zero | tail", "limits": {"memory_max": 64 * MIB}, "autostart": False}

STEADY = {"command": "sleep infinity"}


class Limits(unittest.TestCase):
    def setUp(self):
        self.guest = shared()

    def start(self, id):
        self.assertEqual(self.guest.api("POST", f"/api/processes/{id}/start")[0], 202)

    def process(self, id):
        return self.guest.get(f"/api/processes/{id}")

    def test_who_takes_too_much_memory_dies_alone(self):
        self.guest.configure(steady=STEADY, greedy={**GREEDY, "restart_on_crash": False})
        steady = self.process("steady")["pid"]
        self.start("greedy")
        self.guest.wait_for_states({"greedy": "failed"})
        greedy = self.process("greedy")
        self.assertEqual(greedy["reason"], "out of memory")
        self.assertIs(greedy["limits_enforced"], True)
        self.assertEqual(self.process("steady")["pid"], steady)
        self.assertEqual(self.guest.sh("systemctl is-active ossuary"), "active")

    def test_a_fork_bomb_stays_in_its_bound(self):
        # A shell that cannot fork ends; the other one, which need not fork, keeps what is there.
        command = "sh -c 'while :; do sleep 1000 & done'; exec sleep 1000"
        bomb = {"command": command, "limits": {"pids_max": 20}, "restart_on_crash": False}
        self.guest.configure(steady=STEADY, bomb=bomb)
        wait_until(lambda: self.process("bomb").get("pids", 0) >= 19)
        self.assertLessEqual(self.process("bomb")["pids"], 20)
        self.guest.api("POST", "/api/processes/bomb/stop")
        self.guest.wait_for_states({"bomb": "stopped"})
        self.assertEqual(self.guest.sh("ls -d /sys/fs/cgroup/system.slice/ossuary.service/bomb.* 2>/dev/null | cat"), "")

    def test_the_usage_of_a_process_is_reported(self):
        hoard = {"command": "sh -c 'head --bytes=8M /dev/zero >/dev/shm/hoard; exec sleep infinity'"}
        self.guest.configure(hoard=hoard)
        memory = wait_until(lambda: self.process("hoard").get("memory"))
        self.assertGreater(memory["current"], 0)

    def test_where_the_kernel_does_not_enforce_a_limit_it_is_said(self):
        # As the firmware of a Pi starts it.
        with Guest(append="cgroup_disable=memory") as guest:
            guest.wait_for_api()
            guest.configure(steady={**STEADY, "limits": {"memory_max": 64 * MIB}})
            steady = guest.get("/api/processes/steady")
            self.assertIs(steady["limits_enforced"], False)
            self.assertIn("cgroup_disable=memory", steady["limits_note"])
