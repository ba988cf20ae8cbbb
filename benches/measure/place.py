"""The environment of a measurement: directories, incoming stamps, and programs that end with their block."""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from . import MIB, TIMEOUT, BenchError, memory_disk, proc

STAMP = struct.Struct("=QII")  # struct stamp of floor/stamp.h


@dataclasses.dataclass
class Stamp:
    """What a program under measurement reported, and when."""

    nanoseconds: int
    pid: int
    number: int


class Fifo:
    """The FIFO into which programs under measurement write their stamps."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)
        os.chmod(path, 0o666)  # children may be of another user
        # Our own writer prevents an end of file.
        self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, MIB)

    def take(self, count, pause=0, timeout=TIMEOUT):
        """Waits for `count` stamps. With a `pause` it polls, so that it does not compete for the CPU with what it
        measures."""
        stamps = []
        deadline = time.monotonic() + timeout
        while len(stamps) < count:
            if time.monotonic() > deadline:
                raise BenchError(f"only {len(stamps)} of {count} stamps came in {timeout} s")
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
        """Discards all stamps."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.descriptor, 4096 * STAMP.size):
                pass


class Place:
    """Directories, the programs of the floor, the FIFO. `disk` and `fast` are removed at the end of the block."""

    def __init__(self, options):
        self.ossuary = options.ossuary.resolve()
        self.built = options.built.resolve()
        self.quick = options.quick
        self._stack = contextlib.ExitStack()
        self.up = []  # programs that stay up while another is ended

    def __enter__(self):
        # As on a kiosk: the run directory in memory, everything else on the disk.
        self.disk, self.fast = (
            pathlib.Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=where)))
            for where in (None, memory_disk())
        )
        for directory in (self.disk, self.fast):
            directory.chmod(0o711)
        self.fifo = Fifo(self.disk / "fifo")
        # A copy where every user may execute it.
        self.child = shutil.copy(self.built / "child", self.disk)
        return self

    def __exit__(self, *_):
        self.end_orphans()
        self._stack.close()

    def home(self, name):
        """An empty directory for a program under measurement."""
        home = self.disk / name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        return home

    def say(self, text):
        """Prints progress."""
        print(text, file=sys.stderr, flush=True)

    def end_orphans(self):
        """Kills what ended programs left running. All of it descends from us, so its PIDs cannot be reused."""
        kept = set()
        for running in self.up:
            kept |= {running.pid, *running.roots(), *proc.descendants(running.pid)}
            for root in running.roots():
                kept |= set(proc.descendants(root))
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            left = [pid for pid in proc.descendants(os.getpid()) if pid not in kept]
            if not left:
                return
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            for pid in left:
                with contextlib.suppress(OSError):
                    os.waitpid(pid, 0)


class Program:
    """A program under measurement; ended, with all it started, at the end of the block."""

    def __init__(self, place, command, environment=None):
        self.place = place
        self.errors = open(place.disk / "errors", "w+")
        self.began = time.monotonic_ns()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment,
            start_new_session=True,
        )
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self in self.place.up:
            self.place.up.remove(self)
        with contextlib.suppress(OSError):
            self.begin_stop()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()
        self.place.end_orphans()

    def roots(self):
        """The first processes of the supervisor, from which its other processes descend."""
        return [self.pid]

    def own(self):
        """The supervisor's own processes, without those it supervises."""
        found = []
        for root in self.roots():
            for pid in (root, *proc.descendants(root)):
                name = os.path.basename(proc.program(pid))
                if name and name not in ("child", "flood", "sleep", "adopt"):
                    found.append(pid)
        return found

    def begin_stop(self):
        """Makes it stop its children; does not wait."""
        self.process.send_signal(signal.SIGTERM)

    def line(self):
        """The next line of its stdout."""
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise BenchError(f"{self.process.args[0]} did not start: {self.errors.read()}")
        return line
