"""Prints the size of a program, crate by crate, from its symbols.

Generic code counts for the crate that defines it; if that is the standard library, for the first other crate among its
type parameters: a `Vec` of a type of jiff counts for jiff.
"""

import collections
import re
import subprocess
import sys

STANDARD = {"core", "alloc", "std"}
# Crates that the standard library contains for the backtrace of a panic.
BACKTRACE = {"addr2line", "gimli", "object", "rustc_demangle", "unwind", "libunwind"}
# The name of a crate is the first segment of a path.
CRATE = re.compile(r"(?<![\w:])([a-z_][a-z0-9_]*)::")
LARGE = 2000  # bytes; smaller crates share one line


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def crate(name):
    """The crate that a symbol counts for."""
    if name.startswith("OUTLINED_FUNCTION"):
        return "code that the compiler shares between functions"
    crates = CRATE.findall(name)
    if not crates:
        return "C library"
    own = [other for other in crates if other not in STANDARD]
    if not own:
        return "standard library"
    return "standard library, backtrace of a panic" if own[0] in BACKTRACE else own[0]


def loaded(program):
    """Bytes of all loaded sections of the file."""
    sections = [line.split() for line in output("size", "-A", program).splitlines()[2:]]
    return sum(int(section[1]) for section in sections if len(section) == 3 and section[2] != "0" and section[0] != ".bss")


def main():
    program = sys.argv[1]
    sizes = collections.Counter()
    for line in output("nm", "-SC", program).splitlines():
        symbol = line.split(None, 3)
        if len(symbol) == 4 and symbol[2] not in "bB":
            sizes[crate(symbol[3])] += int(symbol[1], 16)
    total = loaded(program)
    small = sum(size for size in sizes.values() if size < LARGE)
    rows = [(size, crate) for crate, size in sizes.items() if size >= LARGE]
    rows.append((small, f"{sum(size < LARGE for size in sizes.values())} more crates"))
    rows.append((total - sum(sizes.values()), "without a symbol: texts, the web UI, tables of constants"))
    print("| bytes | % | crate |\n|---:|---:|---|")
    for size, crate_name in sorted(rows, reverse=True):
        print(f"| {size:,} | {100 * size / total:.1f} | {crate_name} |")
    print(f"| {total:,} | 100.0 | all |")


main()
