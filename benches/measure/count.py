"""Counts instructions and allocations of the daemon for each event of a scripted day, by callgrind.

The counters are read between the events, so that neither start nor stop of the daemon is in their figures.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from . import MB, TIMEOUT, BenchError, leave_nothing_behind
from .place import Place
from .sides import Ossuary

PROCESSES = 10
RULES = 10
LINES = 10_000
ALLOCATING = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"}


class Counted:
    """The daemon under callgrind, with the given numbers of processes and rules."""

    def __init__(self, place, processes=PROCESSES, rules=RULES):
        self.place = place
        place.fifo.drain()
        self.calls = place.home("calls") / "of"
        wrapper = ["env", f"LD_PRELOAD={place.built / 'apart.so'}", "valgrind", "--tool=callgrind"]
        wrapper.append(f"--callgrind-out-file={self.calls}")
        commands = [[place.child, place.fifo.path, number] for number in range(processes)]
        commands.append(["seq", 10**9, 10**9 + LINES - 1])
        # Rules that are due once a day, and are otherwise executed on request.
        rule = {"trigger": {"type": "interval", "minutes": 1440}, "action": {"type": "start_process", "process_id": "p0"}}
        document = {"schedule": {"rules": [{"id": f"r{number}", **rule} for number in range(rules)]}}
        self.printer = f"p{processes}"
        self.daemon = Ossuary(place, commands, document=document, wrapper=wrapper)
        self.dumps = 0

    def __enter__(self):
        self.daemon.__enter__()
        self.stamps = self.place.fifo.take(len(json.loads(self.daemon.config.read_text())["processes"]) - 1)
        self.connection = self.daemon.connect()
        self.daemon.ask("/api/status", connection=self.connection)
        self.started = self.read()
        return self

    def __exit__(self, *what):
        self.connection.close()
        self.daemon.__exit__(*what)

    def count(self, happens, times):
        """Instructions and allocations of one event, the mean of `times` calls of `happens`."""
        self.read()
        happens(self, times)
        # Its response comes after all earlier events are handled.
        self.daemon.ask("/api/claim", connection=self.connection)
        counts = self.read()
        return {name: count / times for name, count in counts.items()}

    def read(self):
        """What was counted since the last call."""
        subprocess.run(["vgdb", f"--pid={self.daemon.pid}", "dump"], capture_output=True, check=True, timeout=TIMEOUT)
        self.dumps += 1
        return counted(pathlib.Path(f"{self.calls}.{self.dumps}").read_text())


def counted(dump):
    """Instructions and calls of allocating functions in a dump of callgrind, which names a function once and then
    refers to it by number."""
    names, callee = {}, None
    calls = collections.Counter()
    for line in dump.splitlines():
        named = re.match(r"c?fn=\((\d+)\)(?: (.+))?", line)
        if named:
            if named[2]:
                names[named[1]] = named[2]
            callee = names.get(named[1])
        elif line.startswith("calls="):
            calls[callee] += int(line[6:].split()[0])
    total = re.search(r"^totals: (\d+)", dump, re.M)
    if not total:
        raise BenchError("callgrind has counted nothing")
    allocations = sum(count for name, count in calls.items() if name and name.split("'")[0] in ALLOCATING)
    return {"instructions": int(total[1]), "allocations": allocations}


def requests(counted, times):
    for _ in range(times):
        counted.daemon.ask("/api/processes", connection=counted.connection)


def crashes(counted, times):
    for stamp in counted.stamps[:times]:
        os.kill(stamp.pid, signal.SIGKILL)
        counted.place.fifo.take(1)
    time.sleep(0.2)


def saves(counted, times):
    for number in range(times):
        counted.daemon.ask("/api/processes/p1", "PUT", {"name": f"Name {number:03}"}, counted.connection)


def rules(counted, times):
    for _ in range(times):
        counted.daemon.ask("/api/schedule/rules/r1/run", "POST", connection=counted.connection)


def prints(counted, times):
    """`times` lines, including the start and the end of the process that prints them."""
    counted.daemon.ask(f"/api/processes/{counted.printer}/start", "POST", connection=counted.connection)
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        newest = counted.daemon.ask(f"/api/processes/{counted.printer}/logs?lines=1", connection=counted.connection)["lines"]
        if newest and newest[-1]["seq"] >= 2 * times:
            return
        time.sleep(0.5)
    raise BenchError("the lines did not come")


# The events, and how often each happens.
EVENTS = {
    "a request for all processes": (requests, 50),
    "a crash and its successor": (crashes, PROCESSES),
    "a configuration saved": (saves, 20),
    "a rule executed on request": (rules, 20),
    "a line of a log": (prints, LINES),
}


def day(place):
    """The counts of each event and of a start."""
    place.say("counts a day")
    with Counted(place) as counted:
        found = {"a start": counted.started}
        for name, (event, times) in EVENTS.items():
            found[name] = counted.count(event, times)
    return found


def growth(place):
    """Instructions of an event with growing numbers of processes and rules."""
    found = {}
    for count in (10, 100, 1000):
        place.say(f"counts with {count:,} processes")
        with Counted(place, processes=count) as counted:
            found.setdefault("a start", {})[f"{count:,} processes"] = counted.started["instructions"]
            for name in ("a request for all processes", "a crash and its successor", "a configuration saved"):
                spent = counted.count(EVENTS[name][0], 5)["instructions"]
                found.setdefault(name, {})[f"{count:,} processes"] = spent
    # A document is at most 256 KiB, which holds no more rules than the last.
    for count in (10, 100, 1000):
        place.say(f"counts with {count:,} rules")
        with Counted(place, rules=count) as counted:
            found.setdefault("a start", {})[f"{count:,} rules"] = counted.started["instructions"]
            for name in ("a crash and its successor", "a rule executed on request"):
                spent = counted.count(EVENTS[name][0], 5)["instructions"]
                found.setdefault(name, {})[f"{count:,} rules"] = spent
    return found


def main():
    parser = argparse.ArgumentParser(prog="benches/count")
    parser.add_argument("--ossuary", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--built", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    wanted = parser.parse_args()
    wanted.quick = False
    leave_nothing_behind()
    with Place(wanted) as place:
        size = place.ossuary.stat().st_size
        events, grown = day(place), growth(place)
    print(f"the program: {size / MB:.2f} MB\n\n{'':34}{'instructions':>16}{'allocations':>14}")
    for name, counts in events.items():
        print(f"{name:34}{counts['instructions']:16,.0f}{counts['allocations']:14,.1f}")
    print("\ninstructions, by the number of processes and rules")
    for name, counts in grown.items():
        print(f"{name:34}" + ", ".join(f"{what}: {count:,.0f}" for what, count in counts.items()))
    if wanted.json:
        wanted.json.write_text(json.dumps({"size": size, "events": events, "growth": grown}, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"benches/count: {error}")
