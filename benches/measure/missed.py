"""Why an aim is missed, as far as it was looked into: what the profile says, what was tried, where the limit seems to
be. By the name of the figure; told beside those that miss it."""

WHY = {
    "proportional with 100": "Two thirds are the program's own file, mapped and read, which the kernel can drop and read "
    "again: API, page, browser driver and schedule are in it (docs/size.md). Private are half a megabyte and 7 kB a process: "
    "three sources and three tasks of the reactor, the log's first chunk, the run, the card that is shown. Tried: one buffer "
    "for all pipes, logs that grow only as they are used, no thread a process.",
    "start of 1,000": "What a process is given beside its life: two pipes and a handle, each entered into the reactor, "
    "a PID file, a memory of the run for the next daemon, a note in its log. Tried: no copy of the daemon's descriptors for "
    "each child (a third less), and nobody held against all others before it starts.",
    "stop of 100": "The tree of each run is looked through before it is signalled, so that what it has started is signalled "
    "as well: some ten system calls a run, and a file that tells the next daemon of it. Tried: one look for both "
    "signals of a stop, where there were two; threads listed only where a process has several.",
    "stop of 1,000": "As with 100; what the end of a run takes beside that is spread thin: its PID file removed, its end told "
    "to the next daemon and in its log, its descriptors closed. Tried: all children listed once for many runs, where "
    "each listed all anew, and it grew with the square.",
    "killed to first instruction": "Some sixty system calls between the death and the birth, where the floor makes ten: "
    "the end is read from a handle by a thread of the reactor, which wakes the first (once now, where it took two rounds); "
    "the last words are read from both pipes; it is looked whether the tree has left somebody; the log, the journal, the "
    "PID file and the memory for the next daemon are written. Tried: a birth in the daemon's own memory (sys/process/vfork), a "
    "quarter less CPU as another user; an event loop without the reactor's own thread would save a switch, and is not what "
    "smol is.",
    "requests a second, 10 processes, 16 connections": "Two fifths of the time are the kernel's, as nearly all of the "
    "floor's is. The rest is spread thin, no function much over 5 %: the head is read, its fields and the token are checked, the "
    "connection's task is woken by a thread of the reactor; the floor looks at nothing and repeats the same bytes. Tried: an answer that is "
    "made once a second at most, one write an answer, a timer for a minute of requests rather than two for each.",
}
