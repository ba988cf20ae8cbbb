"""How much has to be installed for a supervisor, by what Debian's packages say of themselves."""

import functools
import os
import re
import subprocess


def installed(place, side):
    """Bytes, without what a minimal system has; None where nobody knows."""
    if side.name.startswith("circus"):
        return tree(place.built / "python/lib") + packages("python3")
    if side.name == "pm2":
        return tree(place.built / "node") + packages("nodejs")
    if side.name == "horust":
        return (place.built / "bin/horust").stat().st_size
    return packages(side.package) if side.package else None


def tree(directory):
    return sum(
        os.lstat(os.path.join(where, name)).st_size
        for where, _, names in os.walk(directory)
        for name in names
    )


@functools.cache
def packages(name):
    """The installed size of a package and all it depends on, without a minimal system's."""
    total = 0
    for package in closure(name) - minimal():
        said = subprocess.run(["apt-cache", "show", "--no-all-versions", package], capture_output=True, text=True)
        size = re.search(r"^Installed-Size: (\d+)", said.stdout, re.M)
        total += int(size[1]) * 1024 if size else 0
    return total or None


@functools.cache
def minimal():
    """The packages every Debian has."""
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Essential} ${Priority}\n"], capture_output=True, text=True)
    found = set()
    for line in said.stdout.splitlines():
        name, *rest = line.split()
        if "yes" in rest or "required" in rest:
            found |= closure(name)
    return found


@functools.cache
def depends(name):
    """What a package cannot be without; of several that would do, the first."""
    said = subprocess.run(["apt-cache", "depends", "--important", name], capture_output=True, text=True)
    found, alternative = [], False
    for line in said.stdout.splitlines():
        wanted = re.match(r"\s+(\|?)(Pre)?Depends: (\S+)", line)
        if wanted:
            if not alternative and not wanted[3].startswith("<"):
                found.append(wanted[3])
            alternative = bool(wanted[1])
    return found


def closure(name):
    found, pending = set(), [name]
    while pending:
        package = pending.pop()
        if package not in found:
            found.add(package)
            pending += depends(package)
    return found
