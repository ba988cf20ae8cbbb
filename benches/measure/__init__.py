"""Measures the daemon: `run` beside a floor and its peers, `count` by itself, `soak` for long."""

import ctypes
import os
import signal
import sys

TIMEOUT = 60  # seconds, for anything that is waited for
MB = 1_000_000
GB = 1_000_000_000
MIB = 1 << 20


class BenchError(Exception):
    """Why something cannot be measured, in one sentence."""


def leave_nothing_behind():
    """Orphans of what we start become our children, and whoever ends us has the programs under measure ended too: one
    that lives on shares its pages with the next, which then seems smaller than it is."""
    PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))


def memory_disk():
    """Where a directory is in memory, as /run is; None is wherever the system likes."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
