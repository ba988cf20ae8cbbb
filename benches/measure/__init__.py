"""Measures the daemon: `run` beside a floor and its peers, `count` by itself, `soak` for long."""

import os

TIMEOUT = 60  # seconds, for anything that is waited for
MB = 1_000_000
GB = 1_000_000_000
MIB = 1 << 20


class BenchError(Exception):
    """Why something cannot be measured, in one sentence."""


def become_subreaper():
    """Orphans of what we start become our children, so that none is left behind."""
    import ctypes

    PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def memory_disk():
    """Where a directory is in memory, as /run is; None is wherever the system likes."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
