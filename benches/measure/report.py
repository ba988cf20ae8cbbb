"""Reports the measurements: tables on the terminal, and docs/performance.md with its plots."""

import pathlib

from .figure import number
from .missed import WHY
from .parts import PARTS
from .plot import bars

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"

# The plots: file, part, figure.
PLOTS = [
    ("memory", "lifecycle", "proportional with 100"),
    ("start", "lifecycle", "start of 100"),
    ("stop", "lifecycle", "stop of 100"),
    ("wakeups", "idle", "wake-ups a minute"),
    ("respawn", "respawn", "killed to first instruction"),
    ("log", "log", "throughput"),
    ("http", "http", "requests a second, 10 processes, 16 connections"),
    ("size", "size", "installed, with all it needs"),
]


def machine_summary(document, part):
    machine = document["parts"][part]["machine"]
    return (
        f"{machine['cpus']} CPUs ({machine['architecture']}), Linux {machine['kernel']}, {machine['date']}, "
        f"{machine['minutes']:.0f} minutes; load {machine['load_before']:.2f} before and {machine['load_after']:.2f} after, "
        f"other work took {machine['other_work']:.1%} of the CPUs, {machine['stolen']:.1%} were stolen"
    )


def aims_of(figure):
    return "; ".join(f"{aim}: {'kept' if kept else 'MISSED'}" for aim, kept in figure.aims())


def show(document, results):
    """Prints a block for each figure, a line for each side."""
    print("median (smallest … largest repetition)")
    for part, figures in results.items():
        print(f"\n{PARTS[part][1]}\n{machine_summary(document, part)}")
        for figure in figures:
            ratio = figure.ratio()
            remarks = [f"{ratio:.2f} × floor"] if ratio is not None else []
            remarks += [aims_of(figure)] if figure.aims() else []
            print(f"  {figure.name}, {figure.unit}".rstrip(", ") + (f"   {'; '.join(remarks)}" if remarks else ""))
            for side in figure.samples:
                print(f"    {side:26}{figure.spread(side)}")


def write(document, results):
    """Writes the document and its plots."""
    (DOCS / "performance").mkdir(exist_ok=True)
    drawn = {}
    for name, part, wanted in PLOTS:
        for figure in results.get(part, ()):
            if figure.name == wanted and len(figure.samples) > 1:
                (DOCS / "performance" / f"{name}.svg").write_text(bars(figure))
                drawn.setdefault(part, []).append((name, figure))
    text = [
        "# Performance, compared with other supervisors",
        "",
        "Written by [`./benches/run`](../benches/README.md), which measures the daemon, a floor in C (the minimum that does",
        "the same, without policy and files) and other supervisors in turn. Each cell is the median and, in brackets, the",
        "smallest and the largest repetition. The programs do not do the same: only supervisord, monit and ours answer",
        "over HTTP, and ours includes API, web UI, log rings and schedule.",
        "",
    ]
    if document["quick"]:
        text += ["**From a quick run: the figures are not reliable.**", ""]
    for side, note in document["notes"].items():
        text.append(f"- {side}: {note}.")
    if document["absent"]:
        text.append(f"- Not available on that machine: {', '.join(document['absent'])}.")
    for side, what in document["left_out"]:
        text.append(f"- {side} did not work in: {what}.")
    unmeasured = [name for name in PARTS if name not in results]
    if unmeasured:
        text.append(f"- Not measured yet: {', '.join(unmeasured)}.")
    text += ["", *aims(results)]
    for part, figures in results.items():
        _, title, explained = PARTS[part]
        machine = f"`./benches/run --only {part}`: {machine_summary(document, part)}."
        text += ["", f"## {title}", "", explained, "", machine, ""]
        for name, figure in drawn.get(part, ()):
            text += [f"![{figure.name}](performance/{name}.svg)", ""]
        text += table(figures)
    (DOCS / "performance.md").write_text("\n".join(text) + "\n")


def aims(results):
    """The project's aims, and whether they are met."""
    lines = ["## Aims", "", "| figure | ours | × floor | aim |", "|---|---|---|---|"]
    for part, figures in results.items():
        for figure in figures:
            if not figure.aims():
                continue
            ratio = figure.ratio()
            results_of_aims = "; ".join(f"{aim}: {'kept' if kept else '**MISSED**'}" for aim, kept in figure.aims())
            times = f"{ratio:.2f}" if ratio is not None else ""
            ours = f"{number(figure.median('ours'))} {figure.unit}"
            lines.append(f"| {figure.name} | {ours} | {times} | {results_of_aims} |")
    return [*lines, "", *reasons(results)]


def reasons(results):
    """Why the missed aims are missed."""
    missed = [
        figure.name
        for figures in results.values()
        for figure in figures
        if figure.name in WHY and not all(kept for _, kept in figure.aims())
    ]
    if not missed:
        return []
    lines = ["Why an aim is missed, as far as it was investigated:", ""]
    return lines + [f"- **{name}**: {WHY[name]}" for name in missed]


def table(figures):
    """A row for each side, a column for each figure; more than `width` figures take several tables."""
    lines = []
    width = 5
    for first in range(0, len(figures), width):
        some = figures[first : first + width]
        sides = list(dict.fromkeys(side for figure in some for side in figure.samples))
        heads = [f"{figure.name}{', ' + figure.unit if figure.unit else ''}" for figure in some]
        lines += ["| | " + " | ".join(heads) + " |", "|---" * (len(some) + 1) + "|"]
        for side in sides:
            name = f"**{side}**" if side == "ours" else side
            lines.append(f"| {name} | " + " | ".join(figure.spread(side) for figure in some) + " |")
        lines.append("")
    return lines
