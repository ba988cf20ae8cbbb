"""Facts about processes and the machine, read from /proc."""

import contextlib
import os
import pathlib
import re
import resource
import time


def parents():
    """The parent of every process, zombies included."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = pathlib.Path("/proc", entry, "stat").read_text()
                found[int(entry)] = int(stat[stat.rindex(")") + 2 :].split()[1])
    return found


def descendants(root):
    """The PIDs of all descendants of a process, without itself."""
    children = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found, pending = [], [root]
    while pending:
        started = children.get(pending.pop(), [])
        found += started
        pending += started
    return found


def program(pid):
    """The file a process executes; empty for one that has ended."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def fields(path):
    """The `Name: 123 kB` lines of a file in /proc, kB as bytes."""
    found = {}
    for name, value, unit in re.findall(
        r"^(\w+):\s+(\d+)( kB)?$", pathlib.Path(path).read_text(), re.M
    ):
        found[name] = int(value) * (1024 if unit else 1)
    return found


def memory(pids):
    """Resident, proportional and private bytes of all these processes."""
    resident = proportional = private = 0
    for pid in pids:
        rollup = fields(f"/proc/{pid}/smaps_rollup")
        if not rollup:
            continue  # a zombie
        resident += rollup["Rss"]
        proportional += rollup["Pss"]
        private += rollup["Private_Clean"] + rollup["Private_Dirty"]
    return resident, proportional, private


def peak(pids):
    """The sum of the peak resident sizes of these processes, in bytes."""
    return sum(fields(f"/proc/{pid}/status").get("VmHWM", 0) for pid in pids)


def switches(pids):
    """Context switches of all threads."""
    count = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            status = fields(task / "status")
            count += status["voluntary_ctxt_switches"]
            count += status["nonvoluntary_ctxt_switches"]
    return count


def cpu(pids):
    """Nanoseconds of CPU that all threads of these processes have used."""
    used = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                used += int((task / "schedstat").read_text().split()[0])
    return used


class Load:
    """Other load of the machine during a measurement."""

    def __init__(self):
        self.began = time.monotonic()
        self.before = os.getloadavg()[0]
        self.busy, self.stolen = self._machine()
        self.own = self._own()

    @staticmethod
    def _machine():
        """CPU seconds since boot: worked, and taken away by a hypervisor (proc(5))."""
        with open("/proc/stat") as stat:
            ticks = [int(word) for word in stat.readline().split()[1:9]]
        user, nice, system, _idle, _wait, hard, soft, stolen = ticks
        hertz = os.sysconf("SC_CLK_TCK")
        return (user + nice + system + hard + soft) / hertz, stolen / hertz

    @staticmethod
    def _own():
        """CPU seconds of this program and of the programs under measurement that have ended."""
        usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    def report(self):
        """The facts about the machine that are needed to judge the figures."""
        busy, stolen = self._machine()
        own = self._own() - self.own
        elapsed = time.monotonic() - self.began
        seconds = elapsed * os.cpu_count()
        return {
            "cpus": os.cpu_count(),
            "architecture": os.uname().machine,
            "kernel": os.uname().release,
            "date": time.strftime("%Y-%m-%d"),
            "minutes": elapsed / 60,
            "load_before": self.before,
            "load_after": os.getloadavg()[0],
            "other_work": max(0, busy - self.busy - own) / seconds,
            "stolen": (stolen - self.stolen) / seconds,
        }
