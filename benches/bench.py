"""Measures the daemon beside the least that C can do, and prints one table.

Called by `benches/run`, which builds what is measured. `README.md` says what each figure
means. Ours and the floor are measured in turn, one repetition each, so that whatever else
the machine does meets both.
"""

import argparse
import contextlib
import ctypes
import dataclasses
import fcntl
import functools
import http.client
import json
import os
import pathlib
import pwd
import re
import resource
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

STAMP = struct.Struct("=QII")  # struct stamp of floor/stamp.h
MB = 1_000_000
GB = 1_000_000_000
MIB = 1 << 20
TIMEOUT = 60  # seconds, for anything that is waited for
SIDES = ("ours", "floor")


class BenchError(Exception):
    """Why nothing can be measured, in one sentence."""


# ---- what is read from /proc ----


def children_of(parent):
    """The PIDs of all children of a process, those that have ended but are not reaped included."""
    children = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                stat = pathlib.Path("/proc", entry, "stat").read_text()
                if int(stat[stat.rindex(")") + 2 :].split()[1]) == parent:
                    children.append(int(entry))
    return children


def running(parent, program):
    """How many children of a process have become `program` already."""
    count = 0
    for child in children_of(parent):
        with contextlib.suppress(OSError):
            count += os.path.basename(os.readlink(f"/proc/{child}/exe")) == program
    return count


def fields(path):
    """The `Name: 123 kB` lines of a file in /proc, kB as bytes."""
    found = {}
    for name, value, unit in re.findall(
        r"^(\w+):\s+(\d+)( kB)?$", pathlib.Path(path).read_text(), re.M
    ):
        found[name] = int(value) * (1024 if unit else 1)
    return found


def memory(pid):
    """Resident, proportional and private bytes of a process."""
    rollup = fields(f"/proc/{pid}/smaps_rollup")
    private = rollup["Private_Clean"] + rollup["Private_Dirty"]
    return rollup["Rss"], rollup["Pss"], private


def peak(pid):
    """The most that was ever resident of a process, in bytes."""
    return fields(f"/proc/{pid}/status")["VmHWM"]


def switches(pid):
    """How often any thread of a process was switched to, as it was switched away from as often."""
    count = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        status = fields(task / "status")
        count += status["voluntary_ctxt_switches"]
        count += status["nonvoluntary_ctxt_switches"]
    return count


def cpu(pid):
    """Nanoseconds of CPU that all threads of a process have used."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


class Load:
    """What else the machine did while it measured."""

    def __init__(self):
        self.began = time.monotonic()
        self.before = os.getloadavg()[0]
        self.busy, self.stolen = self._machine()

    @staticmethod
    def _machine():
        """CPU seconds since boot: worked, and taken away by a hypervisor (proc(5))."""
        with open("/proc/stat") as stat:
            ticks = [int(word) for word in stat.readline().split()[1:9]]
        user, nice, system, _idle, _wait, hard, soft, stolen = ticks
        hertz = os.sysconf("SC_CLK_TCK")
        return (user + nice + system + hard + soft) / hertz, stolen / hertz

    def report(self):
        """What is to be known about the machine to judge the figures."""
        busy, stolen = self._machine()
        own = 0
        for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(whose)
            own += usage.ru_utime + usage.ru_stime
        seconds = (time.monotonic() - self.began) * os.cpu_count()
        return {
            "cpus": os.cpu_count(),
            "kernel": os.uname().release,
            "load_before": self.before,
            "load_after": os.getloadavg()[0],
            "other_work": max(0, busy - self.busy - own) / seconds,
            "stolen": (stolen - self.stolen) / seconds,
        }


# ---- what is measured ----


@dataclasses.dataclass
class Stamp:
    """What a program under measure said, and when."""

    nanoseconds: int
    pid: int
    number: int


class Fifo:
    """Where programs under measure write their stamps."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)
        os.chmod(path, 0o666)  # children may be of another user
        # A writer of our own keeps it from ever ending.
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, MIB)

    def take(self, count, pause=0):
        """Waits for `count` stamps. With a `pause` it looks only now and then, so that it does
        not compete for the CPU with what it measures."""
        stamps = []
        deadline = time.monotonic() + TIMEOUT
        while len(stamps) < count:
            if time.monotonic() > deadline:
                raise BenchError(f"only {len(stamps)} of {count} stamps came in {TIMEOUT} s")
            if pause:
                time.sleep(pause)
            elif not select.select([self.descriptor], [], [], 1)[0]:
                continue
            with contextlib.suppress(BlockingIOError):
                # Records are written whole, and this is a multiple of their size.
                records = os.read(self.descriptor, 4096 * STAMP.size)
                stamps += [Stamp(*record) for record in STAMP.iter_unpack(records)]
        return stamps

    def drain(self):
        """Forgets what was said."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.descriptor, 4096 * STAMP.size):
                pass


class Program:
    """A program under measure; ended, with all it started, at the end of the block."""

    def __init__(self, bench, command):
        self.bench = bench
        self.errors = open(bench.place / "errors", "w+")
        self.began = time.monotonic_ns()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.bench.say(f"{self.process.args[0]} had to be killed")
        self.process.stdout.close()
        self.errors.close()
        self.bench.end_orphans()

    def line(self):
        """The next line of its stdout."""
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise BenchError(f"{self.process.args[0]} did not come up: {self.errors.read()}")
        return line

    def await_children(self, count, program):
        """Waits until it has so many children that run `program`."""
        deadline = time.monotonic() + TIMEOUT
        while running(self.pid, program) < count:
            if time.monotonic() > deadline:
                raise BenchError(f"{self.process.args[0]} has not started {count} {program}")
            time.sleep(0.05)


class Ossuary(Program):
    """The daemon, with `count` processes of one command each; `%` in it is the number."""

    def __init__(self, bench, count, command, user=None):
        state, run = bench.place / "state", bench.fast / "run"
        for directory in (state, run):
            shutil.rmtree(directory, ignore_errors=True)
        # Root starts nothing as root unless told to, and the floor does not change the user.
        common = {"user": user or "root"} if os.geteuid() == 0 else {}
        processes = {
            f"p{number}": {"command": " ".join(command).replace("%", str(number)), **common}
            for number in range(count)
        }
        config = bench.place / "config.json"
        config.write_text(json.dumps({"version": 3, "processes": processes}))
        daemon = [str(bench.ossuary), "daemon", "--config", str(config)]
        daemon += ["--state-dir", str(state), "--run-dir", str(run), "--listen", "127.0.0.1:0"]
        self.run_dir = run
        super().__init__(bench, daemon)

    def address(self):
        """Where it listens. To be asked once."""
        return self.line().strip().removeprefix("listening on http://")

    @functools.cached_property
    def credential(self):
        """What a client has to show."""
        command = [self.process.args[0], "token", "add", "--name", "bench", "--role", "view", "--run-dir", self.run_dir]
        made = subprocess.run(command, capture_output=True, text=True, check=True)
        return f"Bearer {made.stdout.strip()}"

    def get(self, address, path):
        """A document of its API."""
        connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
        connection.request("GET", path, headers={"Accept": "application/json", "Authorization": self.credential})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise BenchError(f"GET {path} is answered by {answer.status}: {body.decode()}")
        return json.loads(body)


class Bench:
    """Where measuring takes place: directories, the programs of the floor, the FIFO."""

    def __init__(self, options, place, fast):
        self.ossuary = options.ossuary.resolve()
        self.floor = options.floor.resolve()
        self.quick = options.quick
        self.place, self.fast = place, fast
        self.fifo = Fifo(place / "fifo")
        # A copy where every user may execute it.
        self.child = shutil.copy(self.floor / "child", place)
        self.up = ()  # programs that stay up while another is ended

    def say(self, text):
        """Tells a person who waits how far it is."""
        print(text, file=sys.stderr, flush=True)

    def supervisor(self, side, count, command, user=None):
        """Either side with `count` children."""
        if side == "ours":
            return Ossuary(self, count, command, user)
        # Only the path is given to exec, so it is looked up here.
        program = [shutil.which(command[0]), *command[1:]]
        return Program(self, [str(self.floor / "supervise"), str(count), *program])

    def in_turn(self, what, repetitions):
        """Each side once a repetition, and the other one first in every second."""
        if self.quick:
            repetitions = min(repetitions, 2)
        for repetition in range(repetitions):
            for side in SIDES if repetition % 2 == 0 else SIDES[::-1]:
                self.say(f"{what}, {repetition + 1} of {repetitions}: {side}")
                yield side

    def end_orphans(self):
        """What an ended program left behind is our child now, so its PID is nobody else's."""
        known = {program.pid for program in self.up}
        for pid in children_of(os.getpid()):
            if pid not in known:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


# ---- figures ----


@dataclasses.dataclass
class Figure:
    """One line of the table: samples of each side, and what is aimed at."""

    name: str
    unit: str
    samples: dict = dataclasses.field(default_factory=lambda: {side: [] for side in SIDES})
    below: float = None  # aim: ours is less than that
    at_most: float = None  # aim: ours is at most that
    ratio_at_most: float = None  # aim: so many times the floor

    def add(self, side, sample):
        self.samples[side].append(sample)

    def median(self, side):
        return statistics.median(self.samples[side]) if self.samples[side] else None

    def ratio(self):
        ours, floor = self.median("ours"), self.median("floor")
        return ours / floor if ours is not None and floor else None

    def aim(self):
        """What is aimed at in words, and whether it was reached."""
        if self.below is not None:
            return f"< {number(self.below)} {self.unit}", self.median("ours") < self.below
        if self.at_most is not None:
            return f"{number(self.at_most)} {self.unit}", self.median("ours") <= self.at_most
        if self.ratio_at_most is not None:
            return f"≤ {self.ratio_at_most} × floor", self.ratio() <= self.ratio_at_most
        return None


def number(value):
    """Three digits that mean something."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def measure_memory(bench):
    size = Figure("size of the program", "MB", below=2)
    size.add("ours", bench.ossuary.stat().st_size / MB)
    figures = [size]
    for count in (10, 100):
        aim = 3 if count == 100 else None
        resident = Figure(f"resident, {count} children", "MB")
        proportional = Figure(f"proportional, {count} children", "MB", below=aim)
        private = Figure(f"private, {count} children", "MB")
        for side in bench.in_turn(f"memory with {count} children", 3):
            with bench.supervisor(side, count, ["sleep", "infinity"]) as program:
                program.await_children(count, "sleep")
                time.sleep(1 if bench.quick else 3)
                for figure, bytes_ in zip((resident, proportional, private), memory(program.pid)):
                    figure.add(side, bytes_ / MB)
        figures += [resident, proportional, private]
    return figures


def measure_idle(bench):
    seconds, windows = (10, 1) if bench.quick else (30, 3)
    wakes = Figure("wake-ups a minute", "", at_most=0)
    work = Figure("CPU a minute", "µs")
    with contextlib.ExitStack() as stack:
        # Both at once: what sleeps does not disturb what sleeps.
        bench.up = [
            stack.enter_context(bench.supervisor(side, 10, ["sleep", "infinity"])) for side in SIDES
        ]
        for program in bench.up:
            program.await_children(10, "sleep")
        time.sleep(5)
        for window in range(windows):
            bench.say(f"idle, {window + 1} of {windows}: both")
            before = [(switches(program.pid), cpu(program.pid)) for program in bench.up]
            time.sleep(seconds)
            for side, program, (switched, used) in zip(SIDES, bench.up, before):
                wakes.add(side, (switches(program.pid) - switched) * 60 / seconds)
                work.add(side, (cpu(program.pid) - used) / 1e3 * 60 / seconds)
    bench.up = ()
    return [wakes, work]


def measure_respawn(bench):
    typical = Figure("killed to first instruction", "µs", ratio_at_most=1.5)
    slow = Figure("the same, 90th percentile", "µs")
    stranger = Figure("the same, as another user", "µs")
    user = ordinary_user() if os.geteuid() == 0 else None
    for side in bench.in_turn("respawn", 5):
        times = respawn_times(bench, side)
        typical.add(side, statistics.median(times))
        slow.add(side, statistics.quantiles(times, n=10)[-1])
        if user and side == "ours":
            stranger.add(side, statistics.median(respawn_times(bench, side, user)))
    stranger.samples["floor"] = typical.samples["floor"]
    return [typical, slow, stranger] if user else [typical, slow]


def respawn_times(bench, side, user=None):
    """Kills each of 40 children once, and says how long until its successor ran, in µs. Once,
    because a daemon with a policy makes a child that dies twice wait."""
    count = 40
    bench.fifo.drain()
    with bench.supervisor(side, count, [bench.child, str(bench.fifo.path), "%"], user):
        children = bench.fifo.take(count)
        time.sleep(1)
        times = []
        for child in children:
            killed = time.monotonic_ns()
            os.kill(child.pid, signal.SIGKILL)
            (successor,) = bench.fifo.take(1)
            if successor.number != child.number:
                raise BenchError(f"child {successor.number} was started, not {child.number}")
            times.append((successor.nanoseconds - killed) / 1e3)
            time.sleep(0.02)
    return times


def ordinary_user():
    """The name of somebody who is not root."""
    names = [entry.pw_name for entry in pwd.getpwall() if 1000 <= entry.pw_uid < 60000]
    return names[0] if names else None


def measure_start(bench):
    figures = []
    for count in (100, 1000):
        aim = 1.5 if count == 1000 else None
        whole = Figure(f"{count:,} children, from exec", "ms", ratio_at_most=aim)
        spread = Figure(f"{count:,} children, first to last", "ms")
        for side in bench.in_turn(f"start of {count} children", 5):
            bench.fifo.drain()
            command = [bench.child, str(bench.fifo.path), "%"]
            with bench.supervisor(side, count, command) as program:
                times = [stamp.nanoseconds for stamp in bench.fifo.take(count, pause=0.02)]
                whole.add(side, (max(times) - program.began) / 1e6)
                spread.add(side, (max(times) - min(times)) / 1e6)
        figures += [whole, spread]
    return figures


def measure_log(bench):
    mebibytes = 128 if bench.quick else 1024
    size = mebibytes * MIB // 100 * 100  # as flood.c rounds it
    speed = Figure("throughput", "MB/s")
    work = Figure("CPU a GB", "s")
    most = Figure("most resident ever", "MB")
    flood = [str(bench.floor / "flood"), str(bench.fifo.path), str(mebibytes)]
    for side in bench.in_turn("log", 5):
        bench.fifo.drain()
        if side == "ours":
            program = Ossuary(bench, 1, flood)
        else:
            program = Program(bench, [str(bench.floor / "count"), *flood])
        with program:
            (first,) = bench.fifo.take(1)
            used = cpu(program.pid)
            (last,) = bench.fifo.take(1)
            time.sleep(0.3)  # for what is still in the pipe: 64 KiB
            speed.add(side, size / MB / ((last.nanoseconds - first.nanoseconds) / 1e9))
            work.add(side, (cpu(program.pid) - used) / 1e9 / (size / GB))
            most.add(side, peak(program.pid) / MB)
            if side == "ours":
                check_lines(program, size // 100)
    return [speed, work, most]


def check_lines(program, count):
    """Fast is easy for whoever loses lines."""
    log = program.get(program.address(), "/api/processes/p0/logs?lines=1")
    newest = log["lines"][-1]
    if newest["seq"] < count or len(newest["text"]) != 99:
        raise BenchError(f"of {count} lines the daemon has seen {newest['seq']}")


def measure_http(bench):
    seconds = 1 if bench.quick else 3
    figures = []
    with bench.supervisor("ours", 10, ["sleep", "infinity"]) as ours:
        bench.up = [ours]
        address = ours.address()
        ours.await_children(10, "sleep")
        answer = bench.place / "answer"
        answer.write_bytes(raw_answer(address, ours.credential))
        with Program(bench, [str(bench.floor / "serve"), str(answer)]) as floor:
            bench.up = [ours, floor]
            programs = {"ours": ours, "floor": floor}
            doors = {"ours": address, "floor": "127.0.0.1:" + floor.line().strip()}
            for connections in (1, 16):
                plural = "connection" if connections == 1 else "connections"
                rate = Figure(f"requests a second, {connections} {plural}", "")
                late = Figure(f"p99, {connections} {plural}", "µs")
                work = Figure(f"CPU a request, {connections} {plural}", "µs")
                for side in bench.in_turn(f"http with {connections} {plural}", 5):
                    used = cpu(programs[side].pid)
                    load = wrk(doors[side], connections, seconds, ours.credential)
                    rate.add(side, load["rate"])
                    late.add(side, load["p99"])
                    work.add(side, (cpu(programs[side].pid) - used) / 1e3 / load["requests"])
                figures += [rate, late, work]
            most = Figure("most resident ever", "MB")
            for side in SIDES:
                most.add(side, peak(programs[side].pid) / MB)
    bench.up = ()
    return [*figures, most]


def raw_answer(address, credential):
    """The bytes of an answer, head and all, for the floor to repeat."""
    host, port = address.rsplit(":", 1)
    request = f"GET /api/processes HTTP/1.1\r\nHost: {address}\r\nAuthorization: {credential}\r\n\r\n"
    with socket.create_connection((host, int(port)), TIMEOUT) as connection:
        connection.sendall(request.encode())
        answer = b""
        while True:
            head, _, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.I)
            if length and len(body) == int(length[1]):
                break
            piece = connection.recv(65536)
            if not piece:
                raise BenchError(f"GET /api/processes is answered by {answer!r}")
            answer += piece
    if not answer.startswith(b"HTTP/1.1 200"):
        raise BenchError(f"GET /api/processes is answered by {head!r}")
    return answer


def wrk(address, connections, seconds, credential):
    """Requests a second and p99 in µs, as wrk sees them; the floor does not look at the credential."""
    url = f"http://{address}/api/processes"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Authorization: {credential}", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wrong = re.search(r"Non-2xx.*|Socket errors:.*", said)
    rate = re.search(r"Requests/sec: +([\d.]+)", said)
    requests = re.search(r"(\d+) requests in", said)
    p99 = re.search(r"99% +([\d.]+)(us|ms|s)\b", said)
    if wrong or not (rate and requests and p99):
        raise BenchError(f"wrk at {url}: {wrong[0] if wrong else said}")
    unit = {"us": 1, "ms": 1e3, "s": 1e6}[p99[2]]
    return {
        "rate": float(rate[1]),
        "requests": int(requests[1]),
        "p99": float(p99[1]) * unit,
    }


MEASURES = {
    "memory": (measure_memory, "Memory, after a pause"),
    "idle": (measure_idle, "Idle with 10 children"),
    "respawn": (measure_respawn, "Respawn of 40 children, one by one"),
    "start": (measure_start, "Start of everything"),
    "log": (measure_log, "Log of one child"),
    "http": (measure_http, "GET /api/processes, 10 processes"),
}


# ---- the table ----


def print_table(results, load):
    widths = (37, 28, 28, 7)
    print()
    print(f"{load['cpus']} CPUs, Linux {load['kernel']}", end=", ")
    print(f"load {load['load_before']:.2f} before and {load['load_after']:.2f} after", end=", ")
    print(f"other work took {load['other_work']:.1%} of the CPUs", end=", ")
    print(f"{load['stolen']:.1%} were stolen")
    print("median (smallest … largest repetition)")
    for part, figures in results.items():
        print()
        heads = (MEASURES[part][1], "ours", "floor", "ratio")
        print("".join(head.ljust(width) for head, width in zip(heads, widths)) + "aim")
        for figure in figures:
            ratio = figure.ratio()
            cells = [figure.name]
            cells += [spread(figure, side) for side in SIDES]
            cells.append(f"{ratio:.2f}" if ratio is not None else "")
            aim = figure.aim()
            verdict = f"{aim[0].strip()}: {'kept' if aim[1] else 'MISSED'}" if aim else ""
            row = "".join(cell.ljust(width) for cell, width in zip(cells, widths))
            print(f"  {row}"[: sum(widths)].ljust(sum(widths)) + verdict)


def spread(figure, side):
    """A median with its unit, and the range where there is one."""
    samples = figure.samples[side]
    if not samples:
        return ""
    text = f"{number(figure.median(side))} {figure.unit}".strip()
    least, most = number(min(samples)), number(max(samples))
    return text if least == most else f"{text} ({least} … {most})"


def write_json(path, results, load):
    document = {"machine": load, "figures": []}
    for part, figures in results.items():
        for figure in figures:
            aim = figure.aim()
            document["figures"].append(
                {
                    "part": part,
                    "name": figure.name,
                    "unit": figure.unit,
                    "samples": figure.samples,
                    "median": {side: figure.median(side) for side in SIDES},
                    "ratio": figure.ratio(),
                    "aim": aim and aim[0].strip(),
                    "kept": aim and aim[1],
                }
            )
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def parts(text):
    chosen = text.split(",")
    for part in chosen:
        if part not in MEASURES:
            names = ", ".join(MEASURES)
            raise argparse.ArgumentTypeError(f"there is no {part}; there are: {names}")
    return chosen


def options():
    parser = argparse.ArgumentParser(prog="benches/run")
    parser.add_argument("--ossuary", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--floor", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--only", type=parts, default=list(MEASURES), metavar="PART,…")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter repetitions")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="every sample")
    return parser.parse_args()


def become_subreaper():
    """Orphans of what we start become our children, so that none is left behind."""
    PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main():
    chosen = options()
    become_subreaper()
    # So that the programs under measure are ended in an orderly way too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    load = Load()
    results = {}
    with contextlib.ExitStack() as stack:
        # As on a kiosk: the run directory in memory, everything else on the disk.
        memory_disk = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        places = [
            pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(dir=where)))
            for where in (None, memory_disk)
        ]
        for place in places:
            place.chmod(0o711)
        bench = Bench(chosen, *places)
        for part in chosen.only:
            results[part] = MEASURES[part][0](bench)
    machine = load.report()
    print_table(results, machine)
    if chosen.json:
        write_json(chosen.json, results, machine)


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"benches/run: {error}")
