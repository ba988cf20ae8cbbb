"""Tells what a program is made of, crate by crate, by the names of what is in it.

What is generic counts for the crate that has it; where that is the standard library, for the first other crate among
what it is made for: a `Vec` of jiff's is jiff's.
"""

import collections
import re
import subprocess
import sys

STANDARD = {"core", "alloc", "std"}
# What the standard library brings along, to tell where a panic was.
BACKTRACE = {"addr2line", "gimli", "object", "rustc_demangle", "unwind", "libunwind"}
# A crate stands where a path begins.
CRATE = re.compile(r"(?<![\w:])([a-z_][a-z0-9_]*)::")
LARGE = 2000  # bytes; what is smaller is told in one line


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def crate(name):
    """The crate that something with this name counts for."""
    if name.startswith("OUTLINED_FUNCTION"):
        return "what the compiler found alike in several, and made one of"
    crates = CRATE.findall(name)
    if not crates:
        return "C library"
    own = [other for other in crates if other not in STANDARD]
    if not own:
        return "standard library"
    return "standard library, to tell of a panic" if own[0] in BACKTRACE else own[0]


def loaded(program):
    """Bytes of all that is in the file and comes into memory."""
    sections = [line.split() for line in output("size", "-A", program).splitlines()[2:]]
    return sum(int(section[1]) for section in sections if len(section) == 3 and section[2] != "0" and section[0] != ".bss")


def main():
    program = sys.argv[1]
    sizes = collections.Counter()
    for line in output("nm", "-SC", program).splitlines():
        symbol = line.split(None, 3)
        if len(symbol) == 4 and symbol[2] not in "bB":
            sizes[crate(symbol[3])] += int(symbol[1], 16)
    whole = loaded(program)
    small = sum(size for size in sizes.values() if size < LARGE)
    rows = [(size, crate) for crate, size in sizes.items() if size >= LARGE]
    rows.append((small, f"{sum(size < LARGE for size in sizes.values())} more crates"))
    rows.append((whole - sum(sizes.values()), "without a name: texts, the page, tables of constants"))
    print("| bytes | % | crate |\n|---:|---:|---|")
    for size, whose in sorted(rows, reverse=True):
        print(f"| {size:,} | {100 * size / whole:.1f} | {whose} |")
    print(f"| {whole:,} | 100.0 | all |")


main()
