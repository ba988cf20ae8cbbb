"""Simulates many days of a kiosk, and reports whether the daemon's memory and descriptors grow."""

import argparse
import os
import pathlib
import socket
import statistics
import sys
import time

from . import MB, BenchError, leave_nothing_behind, proc
from .place import Place
from .sides import Ossuary

# The events of a simulated day. Besides, every day kills three processes, which the daemon restarts as its policy
# allows; three exit after seven seconds; one prints 200 kB a second.
DAY = {
    "requests": 2000,
    "refused requests": 100,
    "event streams": 50,
    "saved configurations": 20,
    "reloads": 4,
    "rules executed": 48,
    "starts and stops": 10,
}

# Growth that is tolerated: the rings fill, and the kernel's count of shared pages varies.
TOLERANCE = 0.03
TRANSIENT = 16  # descriptors of short-lived clients at the moment of a sample; a leak is hundreds a day
NOISE = 200_000  # bytes by which the memory of a daemon of 3 MB varies


def children(place):
    """Three that run forever, three that exit after a while, one that floods its log."""
    flood = place.disk / "chatter"
    flood.write_text("#!/bin/sh\nwhile :; do head -c 40000 /dev/zero | tr '\\0' x | fold -w 99; sleep 0.2; done\n")
    dying = place.disk / "dying"
    dying.write_text("#!/bin/sh\nsleep 7; exit 0\n")
    for script in (flood, dying):
        script.chmod(0o755)
    return [["sleep", "infinity"]] * 3 + [[dying]] * 3 + [[flood]]


class Day:
    """The events of a day, over one kept-alive connection and some short-lived ones."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.connection = daemon.connect()
        self.streams = []
        self.number = 0

    def simulate(self):
        self.number += 1
        for request in range(DAY["requests"]):
            self.daemon.ask("/api/processes" if request % 4 else "/api/status", connection=self.connection)
        for _ in range(DAY["refused requests"]):
            self.refused()
        for _ in range(DAY["event streams"]):
            self.stream()
        for save in range(DAY["saved configurations"]):
            change = {"name": f"Day {self.number}, change {save}"}
            self.daemon.ask("/api/processes/p1", "PUT", change, self.connection)
        for _ in range(DAY["reloads"]):
            self.daemon.ask("/api/reload", "POST", connection=self.connection)
        for _ in range(DAY["rules executed"]):
            self.daemon.ask("/api/schedule/rules/chore/run", "POST", connection=self.connection)
        for _ in range(DAY["starts and stops"] // 2):
            for verb in ("stop", "start"):
                self.daemon.ask(f"/api/processes/p2/{verb}", "POST", connection=self.connection)
        self.kill_all()
        self.daemon.ask("/api/processes/p6/logs?lines=500", connection=self.connection)

    def refused(self):
        """A client that speaks no HTTP, and a client without a credential."""
        for request in (b"\x16\x03\x01 nonsense\r\n\r\n", b"GET /api/config HTTP/1.1\r\nHost: x\r\n\r\n"):
            host, port = self.daemon.address.rsplit(":", 1)
            with socket.create_connection((host, int(port)), 10) as client:
                client.sendall(request)
                client.recv(4096)

    def stream(self):
        """Opens an event stream; only the newest eight stay open."""
        host, port = self.daemon.address.rsplit(":", 1)
        client = socket.create_connection((host, int(port)), 10)
        client.sendall(
            f"GET /api/events HTTP/1.1\r\nHost: {self.daemon.address}\r\nAuthorization: {self.daemon.credential}\r\n\r\n".encode()
        )
        client.recv(4096)
        self.streams.append(client)
        if len(self.streams) > 8:
            self.streams.pop(0).close()

    def kill_all(self):
        for pid in proc.descendants(self.daemon.pid):
            if os.path.basename(proc.program(pid)) == "sleep":
                try:
                    os.kill(pid, 9)
                except OSError:
                    pass


def sample(pid):
    resident, proportional, private = proc.memory([pid])
    return {
        "resident, MB": resident / MB,
        "proportional, MB": proportional / MB,
        "private, MB": private / MB,
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
    }


def judge(samples):
    """Compares the second quarter, when the rings are full, with the last; true if nothing has grown."""
    flat = True
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter : 2 * quarter] or samples[:1], samples[-quarter:]
    print(f"{'':20}{'second quarter':>16}{'last quarter':>16}")
    for name in samples[0]:
        before, after = (statistics.median(one[name] for one in some) for some in (early, late))
        bound = before * (1 + TOLERANCE) + (NOISE / MB if "MB" in name else TRANSIENT)
        grown = after > bound
        flat = flat and not grown
        print(f"{name:20}{before:16.2f}{after:16.2f}   {'GROWN' if grown else 'flat'}")
    return flat


def main():
    parser = argparse.ArgumentParser(prog="benches/soak")
    parser.add_argument("--ossuary", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--built", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--minutes", type=float, default=60)
    wanted = parser.parse_args()
    wanted.quick = False
    leave_nothing_behind()
    rule = {"id": "chore", "trigger": {"type": "interval", "minutes": 1}, "action": {"type": "restart_process", "process_id": "p0"}}
    # Small logs are full within the first days, so they are no part of later growth. Processes that exit do so
    # successfully and are restarted always, so there is no crash loop.
    small = {"log": {"memory_kib": 16}}
    changes = {f"p{number}": small | ({"restart": "always"} if number in (3, 4, 5) else {}) for number in range(7)}
    samples = []
    with Place(wanted) as place, Ossuary(place, children(place), document={"schedule": {"rules": [rule]}}) as daemon:
        for process, change in changes.items():
            daemon.ask(f"/api/processes/{process}", "PUT", change)
        place.up.append(daemon)
        day = Day(daemon)
        ends = time.monotonic() + wanted.minutes * 60
        while time.monotonic() < ends:
            day.simulate()
            samples.append(sample(daemon.pid))
            if day.number % 10 == 1:
                place.say(f"day {day.number}: " + ", ".join(f"{name} {value:.2f}" for name, value in samples[-1].items()))
            if daemon.process.poll() is not None:
                raise BenchError(f"the daemon exited with {daemon.process.returncode}")
        place.up.remove(daemon)
        for client in day.streams:
            client.close()
    print(f"{day.number} days, each of " + ", ".join(f"{count} {name}" for name, count in DAY.items()))
    if not judge(samples):
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"benches/soak: {error}")
