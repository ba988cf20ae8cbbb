"""Measures the daemon: `run` compares it with a floor and peers, `count` counts instructions, `soak` looks for growth."""

import ctypes
import os
import signal
import sys

TIMEOUT = 60  # seconds, for every wait
MB = 1_000_000
GB = 1_000_000_000
MIB = 1 << 20


class BenchError(Exception):
    """Why something cannot be measured, in one sentence."""


def leave_nothing_behind():
    """Makes orphans of the programs under measurement our children, and ends them when we are terminated: one that
    survives shares its pages with the next program, which then seems smaller than it is."""
    PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))


def memory_disk():
    """A directory in memory, as /run is; None for the default of the system."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
