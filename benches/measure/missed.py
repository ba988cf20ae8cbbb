"""Why an aim is missed, as far as it was investigated: what the profile says, what was tried, where the limit seems to
be. Keyed by the name of the figure; printed for figures that miss an aim."""

WHY = {
    "proportional with 100": "Two thirds are the program's own file, mapped and read, which the kernel can drop and read "
    "again: API, web UI, browser driver and schedule are in it (docs/size.md). Private are half a megabyte and 7 kB a process: "
    "three sources and three tasks of the reactor, the log's first chunk, the run, the published status. Tried: one buffer "
    "for all pipes, logs that grow only as they are used, no thread a process.",
    "start of 1,000": "What each run needs besides its process: two pipes and a pidfd, each registered with the reactor, "
    "a PID file, the memory of the run for the next daemon, a line in its log. Tried: no copy of the daemon's descriptors "
    "for each child (a third less); no comparison of each process with all others before it starts.",
    "stop of 100": "The daemon lists the process tree of each run before it sends a signal, so that all descendants get it: "
    "some ten system calls a run, and a file that records the stop for the next daemon. Tried: one listing for both "
    "signals of a stop instead of two; listing threads only of processes that have several.",
    "stop of 1,000": "As with 100. The rest of the end of a run is spread thin: its PID file is removed, its end is recorded "
    "for the next daemon and in its log, its descriptors are closed. Tried: listing all children once for many runs; each "
    "run listed all of them before, which is quadratic.",
    "killed to first instruction": "Some sixty system calls between the death and the restart, where the floor makes ten: "
    "a thread of the reactor reads the end from a pidfd and wakes the main thread (once now, twice before); "
    "the last output is read from both pipes; the process tree is searched for survivors; the log, the journal, the "
    "PID file and the memory for the next daemon are written. Tried: a vfork-style start (sys/process/vfork), a "
    "quarter less CPU as another user. An event loop without the reactor's own thread would save a context switch, but smol "
    "has one.",
    "requests a second, 10 processes, 16 connections": "Two fifths of the time are the kernel's, as nearly all of the "
    "floor's is. The rest is spread thin, no function much over 5 %: the daemon reads the head, checks its fields and the "
    "token, and a thread of the reactor wakes the connection's task; the floor checks nothing and repeats the same bytes. "
    "Tried: rendering a response once a second at most, one write a response, one timer for a minute of requests instead of "
    "two for each.",
}
