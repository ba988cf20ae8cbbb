"""Counts instructions and allocations of the daemon, by valgrind, for each event of a scripted day.

A run with events and one without differ by the events: neither start nor stop of the daemon is in the figures.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import sys
import time

from . import MB, BenchError, become_subreaper
from .place import Place
from .sides import Ossuary

# The tools, and the line by which each tells its count when the program ends.
TOOLS = {
    "instructions": (["--tool=callgrind", "--callgrind-out-file=/dev/null"], r"Collected : (\d+)"),
    "allocations": (["--tool=dhat", "--dhat-out-file=/dev/null"], r"Total: .* in ([\d,]+) blocks"),
}

PROCESSES = 10
RULES = 10
LINES = 10_000


class Script:
    """A life of the daemon: what it has to care for, and what happens to it meanwhile."""

    def __init__(self, processes=PROCESSES, rules=RULES, lines=0):
        self.processes, self.rules, self.lines = processes, rules, lines

    def live(self, place, tool, happens):
        """Counts a whole life in which `happens(daemon, stamps)`."""
        arguments, line = TOOLS[tool]
        place.fifo.drain()
        commands = [[place.child, place.fifo.path, number] for number in range(self.processes)]
        commands.append(["seq", 10**9, 10**9 + self.lines])
        # Rules that wait a day, and are carried out when they are told to be.
        rule = {"trigger": {"type": "interval", "minutes": 1440}, "action": {"type": "start_process", "process_id": "p0"}}
        rules = [{"id": f"r{number}", **rule} for number in range(self.rules)]
        wrapper = ["valgrind", *arguments]
        with Ossuary(place, commands, document={"schedule": {"rules": rules}}, wrapper=wrapper) as daemon:
            stamps = place.fifo.take(self.processes)
            connection = daemon.connect()
            daemon.ask("/api/status", connection=connection)
            happens(daemon, stamps, connection)
            # What is still on its way is done before it is asked.
            daemon.ask("/api/status", connection=connection)
            connection.close()
            time.sleep(0.3)
        told = (place.disk / "errors").read_text()
        found = re.search(line, told)
        if not found:
            raise BenchError(f"valgrind has not counted: {told[-500:]}")
        return int(found[1].replace(",", ""))


def nothing(daemon, stamps, connection):
    """The life that the others are compared with."""


def requests(count):
    def happens(daemon, stamps, connection):
        for _ in range(count):
            daemon.ask("/api/processes", connection=connection)

    return happens


def crashes(count):
    def happens(daemon, stamps, connection):
        for stamp in stamps[:count]:
            os.kill(stamp.pid, signal.SIGKILL)
            daemon.place.fifo.take(1)

    return happens


def saves(count):
    def happens(daemon, stamps, connection):
        for number in range(count):
            daemon.ask("/api/processes/p1", "PUT", {"name": f"Name {number:03}"}, connection)

    return happens


def rules(count):
    def happens(daemon, stamps, connection):
        for number in range(count):
            daemon.ask("/api/schedule/rules/r1/run", "POST", connection=connection)

    return happens


# What happens, how often, and the figure's name.
EVENTS = {
    "a request for all processes": (requests, 50),
    "a crash and its successor": (crashes, PROCESSES),
    "a configuration saved": (saves, 20),
    "a rule carried out, by request": (rules, 20),
}


def day(place):
    """Each event's count, and that of a start and stop with nothing between."""
    found = {}
    for tool in TOOLS:
        place.say(f"counts {tool}")
        script = Script()
        without = script.live(place, tool, nothing)
        found.setdefault("a start and a stop", {})[tool] = without
        for name, (event, count) in EVENTS.items():
            found.setdefault(name, {})[tool] = (script.live(place, tool, event(count)) - without) / count
        printed = Script(lines=LINES).live(place, tool, nothing)
        found.setdefault("a line of a log", {})[tool] = (printed - without) / LINES
    return found


def growth(place, counts):
    """Instructions of an event with more and more to care for."""
    found = {}
    for count in counts:
        place.say(f"counts with {count} processes")
        script = Script(processes=count)
        without = script.live(place, "instructions", nothing)
        for name, event, times in (("a request for all processes", requests, 5), ("a crash and its successor", crashes, 5)):
            spent = (script.live(place, "instructions", event(times)) - without) / times
            found.setdefault(name, {})[f"{count} processes"] = spent
        found.setdefault("a start and a stop", {})[f"{count} processes"] = without
    # A document is at most 256 KiB, which holds some 1,500 rules as short as these.
    for count in (10, 100, 1000):
        place.say(f"counts with {count} rules")
        script = Script(rules=count)
        without = script.live(place, "instructions", nothing)
        spent = (script.live(place, "instructions", rules(10)) - without) / 10
        found.setdefault("a rule carried out, by request", {})[f"{count} rules"] = spent
        found.setdefault("a start and a stop", {})[f"{count} rules"] = without
    return found


def main():
    parser = argparse.ArgumentParser(prog="benches/count")
    parser.add_argument("--ossuary", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--built", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    wanted = parser.parse_args()
    wanted.quick = False
    become_subreaper()
    with Place(wanted) as place:
        size = place.ossuary.stat().st_size
        events, grown = day(place), growth(place, (10, 100, 1000))
    print(f"the program: {size / MB:.2f} MB\n\n{'':34}{'instructions':>16}{'allocations':>14}")
    for name, counts in events.items():
        print(f"{name:34}{counts['instructions']:16,.0f}{counts['allocations']:14,.1f}")
    print("\ninstructions, with more to care for")
    for name, counts in grown.items():
        print(f"{name:34}" + ", ".join(f"{what}: {count:,.0f}" for what, count in counts.items()))
    if wanted.json:
        wanted.json.write_text(json.dumps({"size": size, "events": events, "growth": grown}, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"benches/count: {error}")
