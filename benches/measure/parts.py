"""What is measured, a function for each part. Sides take turns, and another begins each time, so that other load of the
machine affects all of them."""

import contextlib
import json
import os
import pwd
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import time

from . import GB, MB, MIB, TIMEOUT, BenchError, debian, proc
from .figure import Figure
from .place import Program
from .sides import Floor, Ours

COUNTS = (10, 100, 1000)
# Seconds; a side that starts more slowly is not measured with ten times as many children.
SLOW_START = 10
SLEEP = ["sleep", "infinity"]


class Turns:
    """Which sides are measured, and how often."""

    def __init__(self, place, sides):
        self.place, self.sides = place, sides
        self.out = set()  # (side, part) that did not work

    def each(self, what, repetitions, sides=None):
        """Each side once a repetition, without sides that failed."""
        sides = sides or self.sides
        if self.place.quick:
            repetitions = min(repetitions, 1)
        for repetition in range(repetitions):
            shift = repetition % len(sides)
            for side in sides[shift:] + sides[:shift]:
                if (side.name, what) in self.out:
                    continue
                self.place.say(f"{what}, {repetition + 1} of {repetitions}: {side.name}")
                try:
                    yield side
                finally:
                    self.place.end_orphans()

    @contextlib.contextmanager
    def careful(self, side, what):
        """Reports and leaves out a peer that fails; a failure of the daemon or the floor ends the part."""
        try:
            yield
        except (BenchError, OSError, subprocess.SubprocessError, ValueError) as error:
            if isinstance(side, (Ours, Floor)):
                raise
            self.place.say(f"{side.name} is left out of {what}: {error}")
            self.out.add((side.name, what))


def children(place, count):
    """Commands of children that report when they started."""
    return [[place.child, place.fifo.path, number] for number in range(count)]


def lifecycle(turns):
    """Start, memory and stop; each run of a side yields all three."""
    place = turns.place
    figures = []
    counts = COUNTS[:2] if place.quick else COUNTS
    slow = set()
    for count in counts:
        aim = 1.5 if count == 100 else None
        start = Figure(f"start of {count:,}", "ms", ratio_at_most=1.3 if count == 1000 else None, best="less")
        resident = Figure(f"resident with {count:,}", "MB")
        proportional = Figure(f"proportional with {count:,}", "MB", below=aim, best="less")
        private = Figure(f"private with {count:,}", "MB")
        stop = Figure(f"stop of {count:,}", "ms", ratio_at_most=1.5 if count == 100 else None, best="less")
        sides = [side for side in turns.sides if side.most >= count and side.name not in slow]
        what = f"lifecycle of {count:,}"
        for side in turns.each(what, 5 if count < 1000 else 3, sides):
            with turns.careful(side, what):
                place.fifo.drain()
                with side.up(place, children(place, count)) as running:
                    stamps = place.fifo.take(count, pause=0.02)
                    took = (max(stamp.nanoseconds for stamp in stamps) - running.began) / 1e6
                    if took > SLOW_START * 1000:
                        slow.add(side.name)
                    time.sleep(1 if place.quick else 3)
                    measured = proc.memory(running.own())
                    ended = stop_time(running, [stamp.pid for stamp in stamps])
                start.add(side.name, took)
                for figure, bytes_ in zip((resident, proportional, private), measured):
                    figure.add(side.name, bytes_ / MB)
                if ended is not None:
                    stop.add(side.name, ended)
        figures += [start, proportional, private, resident, stop]
    return figures


def stop_time(running, pids):
    """Milliseconds from the stop signal until all children have ended; None if that takes more than a minute."""
    poll = select.poll()
    descriptors = set()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            descriptors.add(descriptor)
            poll.register(descriptor, select.POLLIN)
    began = time.monotonic_ns()
    running.begin_stop()
    left = set(descriptors)
    deadline = time.monotonic() + TIMEOUT
    while left and time.monotonic() < deadline:
        for descriptor, _ in poll.poll(1000):
            poll.unregister(descriptor)
            left.discard(descriptor)
    ended = time.monotonic_ns()
    for descriptor in descriptors:
        os.close(descriptor)
    return None if left else (ended - began) / 1e6


def idle(turns):
    """Wake-ups and CPU while nothing happens, of all sides at once: idle programs do not disturb each other."""
    place = turns.place
    seconds, windows = (10, 1) if place.quick else (60, 3)
    wakes = Figure("wake-ups a minute", "", at_most=0, best=None)
    work = Figure("CPU a minute", "µs")
    with contextlib.ExitStack() as stack:
        running = {}
        for side in turns.sides:
            with turns.careful(side, "idle"):
                place.fifo.drain()
                program = stack.enter_context(side.up(place, children(place, 10)))
                place.up.append(program)
                running[side.name] = program
                place.fifo.take(10)
        time.sleep(10)
        for window in range(windows):
            place.say(f"idle, {window + 1} of {windows}: all")
            before = {name: activity(program) for name, program in running.items()}
            time.sleep(seconds)
            for name, program in running.items():
                switched, used = (after - was for after, was in zip(activity(program), before[name]))
                wakes.add(name, switched * 60 / seconds)
                work.add(name, used / 1e3 * 60 / seconds)
    return [wakes, work]


def activity(running):
    """Context switches and CPU time so far."""
    pids = running.own()
    return proc.switches(pids), proc.cpu(pids)


def respawn(turns):
    """From SIGKILL of a child to the first instruction of its successor."""
    typical = Figure("killed to first instruction", "µs", ratio_at_most=1.3, best="less")
    slow = Figure("the same, 90th percentile", "µs")
    other_user = Figure("the same, as another user", "µs")
    user = ordinary_user() if os.geteuid() == 0 else None
    for side in turns.each("respawn", 5):
        with turns.careful(side, "respawn"):
            times = respawn_times(turns.place, side)
            typical.add(side.name, statistics.median(times))
            slow.add(side.name, statistics.quantiles(times, n=10)[-1])
            if user and isinstance(side, Ours):
                times = respawn_times(turns.place, side, user=user)
                other_user.add("ours", statistics.median(times))
    if "floor" in typical.samples:
        other_user.samples["floor"] = typical.samples["floor"]
    return [typical, slow, other_user] if user else [typical, slow]


def respawn_times(place, side, **more):
    """Kills each of 40 children once, and returns the microseconds until its successor ran. Once, because a daemon with
    a restart policy delays the second restart of a child. A slow side is measured with fewer children."""
    count, budget = 40, 8
    place.fifo.drain()
    with side.up(place, children(place, count), **more):
        stamps = place.fifo.take(count, pause=0.02)
        # Past the first second, in which runit, s6 and daemontools delay a restart.
        time.sleep(2)
        began = time.monotonic()
        times = []
        for child in stamps:
            killed = time.monotonic_ns()
            os.kill(child.pid, signal.SIGKILL)
            (successor,) = place.fifo.take(1)
            if successor.number != child.number:
                raise BenchError(f"child {successor.number} was started, not {child.number}")
            times.append((successor.nanoseconds - killed) / 1e3)
            if time.monotonic() - began > budget and len(times) > 1:
                break
            # Not in step with a supervisor that polls.
            time.sleep(0.02 + 0.0137 * (len(times) % 7))
    return times


def ordinary_user():
    """The name of an ordinary account, if there is one."""
    names = [entry.pw_name for entry in pwd.getpwall() if 1000 <= entry.pw_uid < 60000]
    return names[0] if names else None


class Reader(Floor):
    """A minimal reader of output: counts its lines."""

    captures = True

    def up(self, place, commands):
        return Program(place, [str(place.built / "count"), *map(str, commands[0])])


def log(turns):
    """A child prints as fast as its output is read."""
    place = turns.place
    mebibytes = 64 if place.quick else 1024
    size = mebibytes * MIB // 100 * 100  # as flood.c rounds it
    speed = Figure("throughput", "MB/s", ratio_at_least=0.5, best="more")
    work = Figure("CPU a GB", "s")
    most = Figure("most resident ever", "MB")
    command = [str(place.built / "flood"), place.fifo.path, mebibytes]
    sides = [Reader() if isinstance(side, Floor) else side for side in turns.sides]
    sides = [side for side in sides if side.captures]
    for side in turns.each("log", 3, sides):
        with turns.careful(side, "log"):
            place.fifo.drain()
            with side.up(place, [command]) as running:
                (first,) = place.fifo.take(1)
                used = proc.cpu(running.own())
                (last,) = place.fifo.take(1, timeout=4 * TIMEOUT)
                settle(running)
                speed.add(side.name, size / MB / ((last.nanoseconds - first.nanoseconds) / 1e9))
                work.add(side.name, (proc.cpu(running.own()) - used) / 1e9 / (size / GB))
                most.add(side.name, proc.peak(running.own()) / MB)
                if isinstance(side, Ours):
                    check_lines(running, size // 100)
    return [speed, work, most]


def settle(running):
    """Waits until it has read the output that is still in transit: 64 KiB of a pipe, or a backlog of its own."""
    used = -1
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        now = proc.cpu(running.own())
        if now - used < 10e6:
            return
        used = now
        time.sleep(0.3)


def check_lines(running, count):
    """Fails if the daemon lost lines, which would make it fast."""
    newest = running.ask("/api/processes/p0/logs?lines=1")["lines"][-1]
    if newest["seq"] < count or len(newest["text"]) != 99:
        raise BenchError(f"of {count} lines the daemon has seen {newest['seq']}")


def http(turns):
    """Requests for the status of all children, over HTTP on kept-alive connections."""
    place = turns.place
    seconds = 1 if place.quick else 2
    figures = []
    asked = [side for side in turns.sides if side.served]
    for count in (10, 100):
        with contextlib.ExitStack() as stack:
            running = {}
            for side in asked:
                with turns.careful(side, "http"):
                    place.fifo.drain()
                    program = stack.enter_context(side.up(place, children(place, count)))
                    place.up.append(program)
                    place.fifo.take(count)
                    running[side.name] = (side, program)
            ours = running["ours"][1]
            answer = place.disk / "answer"
            answer.write_bytes(raw_answer(ours))
            floor = stack.enter_context(Program(place, [str(place.built / "serve"), str(answer)]))
            place.up.append(floor)
            floor.address, floor.credential = "127.0.0.1:" + floor.line().strip(), None
            running["floor"] = (Ours(), floor)
            time.sleep(2)
            for stream in (False, True):
                if stream:
                    stack.enter_context(listening(ours))
                for connections in (1, 16, 120):
                    if stream and connections != 16:
                        continue
                    figures += ask_all(turns, running, count, connections, stream, seconds)
    return figures


def ask_all(turns, running, count, connections, stream, seconds):
    tail = f"{count} processes, {connections} connection{'s' * (connections > 1)}{', a stream' * stream}"
    key = connections == 16 and count == 10 and not stream
    rate = Figure(f"requests a second, {tail}", "", ratio_at_least=0.5 if key else None, best="more")
    late = Figure(f"p99, {tail}", "µs", below=1000 if key else None)
    work = Figure(f"CPU a request, {tail}", "µs")
    # With an event stream there is only the floor to compare with.
    names = [name for name in running if not stream or name in ("ours", "floor")]
    for repetition in range(1 if turns.place.quick else 5):
        turns.place.say(f"http with {tail}, {repetition + 1}")
        for name in names if repetition % 2 == 0 else names[::-1]:
            side, program = running[name]
            with turns.careful(side, f"http with {tail}"):
                used = proc.cpu(program.own())
                load = wrk(turns.place, program, side, connections, seconds)
                rate.add(name, load["rate"])
                late.add(name, load["p99"])
                if load["requests"]:
                    work.add(name, (proc.cpu(program.own()) - used) / 1e3 / load["requests"])
    return [rate, late, work]


@contextlib.contextmanager
def listening(running):
    """A client that reads the daemon's events."""
    host, port = running.address.rsplit(":", 1)
    command = ["curl", "--silent", "--no-buffer", "--header", f"Authorization: {running.credential}"]
    client = subprocess.Popen([*command, f"http://{host}:{port}/api/events"], stdout=subprocess.DEVNULL)
    client.own = client.roots = lambda: [client.pid]
    running.place.up.append(client)
    time.sleep(0.5)
    try:
        yield
    finally:
        running.place.up.remove(client)
        client.kill()
        client.wait()


def raw_answer(running):
    """The bytes of a response with its head, for the floor to repeat."""
    host, port = running.address.rsplit(":", 1)
    request = (
        f"GET /api/processes HTTP/1.1\r\nHost: {running.address}\r\nAuthorization: {running.credential}\r\n\r\n"
    )
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


def wrk(place, running, side, connections, seconds):
    """Requests a second and p99 in µs, as wrk measures them; the floor ignores the credential."""
    url = f"http://{running.address}{side.served}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    if running.credential:
        command += ["-H", f"Authorization: {running.credential}"]
    if side.post:
        script = place.disk / "post.lua"
        script.write_text(
            f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "text/xml"\nwrk.body = {json.dumps(side.post)}\n'
        )
        command += ["-s", str(script)]
    output = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=TIMEOUT).stdout
    rate = re.search(r"Requests/sec: +([\d.]+)", output)
    requests = re.search(r"(\d+) requests in", output)
    p99 = re.search(r"99% +([\d.]+)(us|ms|s)\b", output)
    failure = re.search(r"Non-2xx.*|Socket errors:.*", output)
    if not (rate and requests and p99) or failure and isinstance(side, Ours):
        raise BenchError(f"wrk at {url}: {failure[0] if failure else output}")
    unit = {"us": 1, "ms": 1e3, "s": 1e6}[p99[2]]
    return {"rate": float(rate[1]), "requests": int(requests[1]), "p99": float(p99[1]) * unit}


def events(turns):
    """What one event costs the daemon: a save, a rule that is due, a probe of the page."""
    place = turns.place
    save_cpu, save_time = Figure("a configuration saved, CPU", "µs"), Figure("a configuration saved, until the response", "µs")
    rule_cpu = Figure("a rule executed, CPU", "µs")
    saves = 20 if place.quick else 200
    rules = 100
    for _ in turns.each("events", 3, [Ours()]):
        every_minute = [
            {"id": f"r{number}", "trigger": {"type": "interval", "minutes": 1}, "action": {"type": "start_process", "process_id": "p0"}}
            for number in range(rules)
        ]
        with Ours().up(place, [SLEEP] * 10, document={"schedule": {"rules": every_minute}}) as running:
            running.ask("/api/processes")
            connection = running.connect()
            used = proc.cpu([running.pid])
            for number in range(saves):
                began = time.monotonic_ns()
                running.ask("/api/processes/p1", "PUT", {"name": f"Name {number}"}, connection)
                save_time.add("ours", (time.monotonic_ns() - began) / 1e3)
            save_cpu.add("ours", (proc.cpu([running.pid]) - used) / 1e3 / saves)
            rule_cpu.add("ours", rule_cost(running, rules))
    figures = [save_cpu, save_time, rule_cpu]
    probe = probe_cost(turns)
    return [*figures, probe] if probe else figures


def rule_cost(running, rules):
    """Waits until all rules were executed, which happens in the same instant, and returns the µs that one took."""
    time.sleep(1)
    used = proc.cpu([running.pid])
    deadline = time.monotonic() + 2 * TIMEOUT
    while time.monotonic() < deadline:
        time.sleep(1)
        spent = proc.cpu([running.pid]) - used
        if spent > 0:
            time.sleep(2)
            return (proc.cpu([running.pid]) - used) / 1e3 / rules
    raise BenchError("no rule with an interval of a minute was executed in two")


def probe_cost(turns):
    """What a probe of the kiosk page costs the daemon, which probes it every six seconds."""
    place = turns.place
    if not (shutil.which("chromium") and shutil.which("Xvfb")) or place.quick:
        place.say("skips the probe of a page: it needs chromium and Xvfb")
        return None
    figure = Figure("a probe of the page, CPU", "µs")
    window = 60
    user = ordinary_user() if os.geteuid() == 0 else None
    with subprocess.Popen(["Xvfb", ":93", "-screen", "0", "800x600x24", "-nolisten", "tcp"], stderr=subprocess.DEVNULL) as screen:
        screen.own = screen.roots = lambda: [screen.pid]
        place.up.append(screen)
        page = place.disk / "page.html"
        page.write_text("<!doctype html><title>Page</title><p>Something to look at.")
        page.chmod(0o644)
        display = {"type": "chromium", "url": f"file://{page}", "display": ":93", **({"user": user} if user else {})}
        document = {"processes": {"screen": display}, "active_display_process": "screen"}
        try:
            with Ours().up(place, [], document=document) as running:
                running.address
                time.sleep(30)
                for repetition in range(2):
                    place.say(f"probe of a page, {repetition + 1} of 2")
                    used = proc.cpu([running.pid])
                    time.sleep(window)
                    figure.add("ours", (proc.cpu([running.pid]) - used) / 1e3 / (window / 6))
        finally:
            place.up.remove(screen)
            screen.terminate()
    return figure


def size(turns):
    """The program, and all that has to be installed for it on a Debian of essential packages."""
    program = Figure("the program", "MB", below=1.5 if os.uname().machine == "aarch64" else None)
    program.add("ours", turns.place.ossuary.stat().st_size / MB)
    total = Figure("installed, with all it needs", "MB")
    total.add("ours", turns.place.ossuary.stat().st_size / MB)
    for side in turns.sides:
        with turns.careful(side, "size"):
            if isinstance(side, (Ours, Floor)):
                continue
            installed = debian.installed(turns.place, side)
            if installed:
                total.add(side.name, installed / MB)
    return [program, total]


# The title of each part, and its explanation.
PARTS = {
    "lifecycle": (lifecycle, "Start, memory and stop", "Children report when they started. Start is from the exec of the supervisor to the first instruction of the last child; memory is that of all its processes 3 s later, without the children; stop is from the signal to the end of the last child."),
    "idle": (idle, "Idle, with 10 processes", "Context switches of all threads, and their CPU time, while nothing happens; all sides at once."),
    "respawn": (respawn, "A child that dies", "From SIGKILL to the first instruction of its successor: each of 40 children once, or as many as 8 s allow. A repetition counts as its median."),
    "log": (log, "A child that prints 1 GiB", "Lines of 100 bytes, 64 KiB in one write. The floor reads and counts lines. CPU is that of the supervisor and its loggers."),
    "http": (http, "HTTP", "Requests for the status of all processes, on kept-alive connections, by wrk; the daemon allows one address 128 of them. The floor writes the same bytes. supervisord and monit may close a connection after each response."),
    "events": (events, "What an event costs", "CPU of all threads of the daemon over many such events."),
    "size": (size, "Size", "The program; for the others the `Installed-Size` of their Debian package and of all it depends on, without what a minimal system has."),
}
