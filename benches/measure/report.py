"""Tells what was measured: tables on the terminal, and docs/performance.md with its plots."""

import pathlib

from .figure import number
from .missed import WHY
from .parts import PARTS
from .plot import bars

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"

# The plots: file, part, figure, and whether it is a matter of how many times rather than of how much.
PLOTS = [
    ("memory", "crowd", "proportional with 100"),
    ("start", "crowd", "start of 100"),
    ("stop", "crowd", "stop of 100"),
    ("wakeups", "idle", "wake-ups a minute"),
    ("respawn", "respawn", "killed to first instruction"),
    ("log", "log", "throughput"),
    ("http", "http", "requests a second, 10 processes, 16 connections"),
    ("size", "size", "installed, with all it needs"),
]


def machine_in_words(document, part):
    machine = document["parts"][part]["machine"]
    return (
        f"{machine['cpus']} CPUs ({machine['architecture']}), Linux {machine['kernel']}, {machine['date']}, "
        f"{machine['minutes']:.0f} minutes; load {machine['load_before']:.2f} before and {machine['load_after']:.2f} after, "
        f"other work took {machine['other_work']:.1%} of the CPUs, {machine['stolen']:.1%} were stolen"
    )


def verdicts(figure):
    return "; ".join(f"{aim}: {'kept' if kept else 'MISSED'}" for aim, kept in figure.aims())


def show(document, results):
    """Prints a block for each figure: a side a line."""
    print("median (smallest … largest repetition)")
    for part, figures in results.items():
        print(f"\n{PARTS[part][1]}\n{machine_in_words(document, part)}")
        for figure in figures:
            ratio = figure.ratio()
            told = [f"{ratio:.2f} × floor"] if ratio is not None else []
            told += [verdicts(figure)] if figure.aims() else []
            print(f"  {figure.name}, {figure.unit}".rstrip(", ") + (f"   {'; '.join(told)}" if told else ""))
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
        "# What it costs, beside others",
        "",
        "Written by [`./benches/run`](../benches/README.md), which measures the daemon, a floor in C (the least that can be",
        "done, with no policy and no files) and other supervisors in turn. Each cell is the median and, in brackets, the",
        "smallest and the largest repetition. What is compared is not the same: only supervisord, monit and ours answer",
        "over HTTP, and ours includes API, page, log rings and schedule.",
        "",
    ]
    if document["quick"]:
        text += ["**From a quick run: to see what there is, not to be believed.**", ""]
    for side, note in document["notes"].items():
        text.append(f"- {side}: {note}.")
    if document["absent"]:
        text.append(f"- Not to be had on that machine: {', '.join(document['absent'])}.")
    for side, what in document["left_out"]:
        text.append(f"- {side} did not work in: {what}.")
    unmeasured = [name for name in PARTS if name not in results]
    if unmeasured:
        text.append(f"- Not measured yet: {', '.join(unmeasured)}.")
    text += ["", *aims(results)]
    for part, figures in results.items():
        _, title, explained = PARTS[part]
        machine = f"`./benches/run --only {part}`: {machine_in_words(document, part)}."
        text += ["", f"## {title}", "", explained, "", machine, ""]
        for name, figure in drawn.get(part, ()):
            text += [f"![{figure.name}](performance/{name}.svg)", ""]
        text += table(figures)
    (DOCS / "performance.md").write_text("\n".join(text) + "\n")


def aims(results):
    """What the project aims at, and whether it is there."""
    lines = ["## Aims", "", "| figure | ours | × floor | aim |", "|---|---|---|---|"]
    for part, figures in results.items():
        for figure in figures:
            if not figure.aims():
                continue
            ratio = figure.ratio()
            told = "; ".join(f"{aim}: {'kept' if kept else '**MISSED**'}" for aim, kept in figure.aims())
            times = f"{ratio:.2f}" if ratio is not None else ""
            lines.append(f"| {figure.name} | {number(figure.median('ours'))} {figure.unit} | {times} | {told} |")
    return [*lines, "", *reasons(results)]


def reasons(results):
    """Why those are missed that are."""
    missed = [
        figure.name
        for figures in results.values()
        for figure in figures
        if figure.name in WHY and not all(kept for _, kept in figure.aims())
    ]
    if not missed:
        return []
    lines = ["Where one is missed, as far as it was looked into:", ""]
    return lines + [f"- **{name}**: {WHY[name]}" for name in missed]


def table(figures):
    """A side a line, a figure a column; where there are many, several tables."""
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
