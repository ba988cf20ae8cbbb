"""How much has to be installed for a supervisor, by the `Installed-Size` of Debian's packages."""

import functools
import os
import re
import subprocess


def installed(place, side):
    """Bytes, without what a minimal system has; None if unknown."""
    if side.name == "circus":
        return tree(place.built / "python/lib") + packages("python3")
    if side.name == "pm2":
        return tree(place.built / "node/node_modules") + packages("nodejs")
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
    """The installed size of a package and all it depends on, without a minimal system's; 0 for one that is unknown."""
    known = archive()
    minimal = [name for name, fields in known.items() if fields.get("Priority") == "required" or "Essential" in fields]
    needed = closure([name]) - closure(minimal)
    return sum(int(known[package].get("Installed-Size", 0)) for package in needed) * 1024


@functools.cache
def archive():
    """The fields of every available package, by its name; of several versions, the first."""
    wanted = ("Package", "Priority", "Essential", "Installed-Size", "Depends", "Pre-Depends")
    line = re.compile(rf"^({'|'.join(wanted)}): (.*)$", re.M)
    listing = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True).stdout
    found = {}
    for package in listing.split("\n\n"):
        fields = dict(line.findall(package))
        if fields:
            found.setdefault(fields["Package"], fields)
    return found


def closure(names):
    """Packages and all their dependencies; of alternatives, the first."""
    known = archive()
    found, pending = set(), list(names)
    while pending:
        name = pending.pop()
        if name in found or name not in known:
            continue
        found.add(name)
        fields = known[name]
        needs = ", ".join(filter(None, (fields.get("Depends"), fields.get("Pre-Depends"))))
        pending += re.findall(r"(?:^|, )([a-z0-9.+-]+)", needs)
    return found
