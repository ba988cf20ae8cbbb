"""What the tests of the recipes look at: the tree, and what stands in it."""

import os
import pathlib
import re
import subprocess
import tomllib

REPOSITORY = pathlib.Path(__file__).parents[2]
OVERLAY = REPOSITORY / "rootfs-overlay"
UNITS = OVERLAY / "usr/lib/systemd/system"
BUILDROOT = REPOSITORY / "buildroot"
LAYER = REPOSITORY / "yocto/meta-ossuary"
RECIPE = LAYER / "recipes-core/ossuary/ossuary_0.1.0.bb"
TARGET = REPOSITORY / os.environ.get("CARGO_TARGET_DIR", "target")

BOARDS = sorted(it.name for it in (BUILDROOT / "board").iterdir() if (it / "genimage.cfg").exists())
DEFCONFIGS = sorted((BUILDROOT / "configs").iterdir())


def run(*command, **settings):
    """Runs a program: its exit code, and what it printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **settings)
    return done.returncode, done.stdout


def cargo():
    return tomllib.loads((REPOSITORY / "Cargo.toml").read_text())


def variable(name, file=RECIPE):
    """The words of a variable that a recipe sets, over however many lines."""
    found = re.search(rf'^{re.escape(name)} [^"\n]*"((?:[^"\\]|\\\n)*)"', file.read_text(), re.MULTILINE)
    return found[1].replace("\\\n", " ").split() if found else []


def settings(defconfig):
    """What a configuration of Buildroot sets, by name."""
    lines = (line.partition("=") for line in defconfig.read_text().splitlines())
    return {name: value.strip('"') for name, _, value in lines}
