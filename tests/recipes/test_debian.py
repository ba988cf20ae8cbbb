"""The Debian package, without a system to install it on: what is in it. See tests/image/container_package_test.py."""

import gzip
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from tree import OVERLAY, REPOSITORY, UNITS, cargo, run

DEBIAN = REPOSITORY / "debian"

# What is in the package, and where it comes from; the program and what is compressed aside.
COPIES = {
    "usr/lib/systemd/system/ossuary.service": UNITS / "ossuary.service",
    "usr/share/ossuary/sysusers.conf": OVERLAY / "usr/lib/sysusers.d/ossuary.conf",
    "usr/share/ossuary/tmpfiles.conf": OVERLAY / "usr/lib/tmpfiles.d/ossuary.conf",
    "usr/share/bash-completion/completions/ossuary": REPOSITORY / "src/cli/completion/ossuary.bash",
    "usr/share/zsh/vendor-completions/_ossuary": REPOSITORY / "src/cli/completion/ossuary.zsh",
    "usr/share/fish/vendor_completions.d/ossuary.fish": REPOSITORY / "src/cli/completion/ossuary.fish",
    "usr/share/doc/ossuary/copyright": DEBIAN / "copyright",
    "usr/share/lintian/overrides/ossuary": DEBIAN / "lintian-overrides",
}
LICENCES = "usr/share/doc/ossuary/licences.gz"
OTHERS = {"usr/bin/ossuary", "usr/share/doc/ossuary/changelog.gz", "usr/share/man/man1/ossuary.1.gz", LICENCES}


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A package whose program says nothing."""
        cls.place = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-package-"))
        cls.addClassCleanup(shutil.rmtree, cls.place)
        cls.program = cls.place / "program"
        cls.program.write_text("#!/bin/sh\n")
        cls.package = cls.build("first")

    @classmethod
    def build(cls, name, **settings):
        settings = os.environ | {"CARGO_TARGET_DIR": str(cls.place / name)} | settings
        code, text = run(DEBIAN / "build", "arm64", cls.program, env=settings)
        assert code == 0, text
        return pathlib.Path(text.splitlines()[-1])

    def test_it_has_the_version_of_the_program(self):
        version = cargo()["package"]["version"]
        self.assertEqual(self.package.name, f"ossuary_{version}_arm64.deb")
        self.assertEqual(run("dpkg-deb", "--field", self.package, "Version", "Architecture"),
                         (0, f"Version: {version}\nArchitecture: arm64\n"))

    def test_it_names_the_licence_there_is(self):
        head, _, body = (REPOSITORY / "LICENSE").read_text().partition("\n\nCopyright (c) ")
        holder, _, terms = body.partition("\n\n")
        words = (DEBIAN / "copyright").read_text().replace("\n .\n", "\n\n").replace("\n ", "\n")
        self.assertEqual(head, f"{cargo()['package']['license']} License")
        self.assertIn(f"Copyright: {holder}\nLicense: MIT\n{terms}", words)

    def test_the_same_tree_makes_the_same_bytes(self):
        os.utime(self.program, (0, 0))
        self.program.chmod(0o700)
        umask = os.umask(0o077)
        self.addCleanup(os.umask, umask)
        again = self.build("second", TZ="Asia/Tokyo", LC_ALL="C")
        self.assertEqual(self.package.read_bytes(), again.read_bytes())

    def test_it_has_the_daemon_and_nothing_that_is_for_a_device_alone(self):
        files = self.place / "files"
        self.assertEqual(run("dpkg-deb", "--extract", self.package, files), (0, ""))
        names = {str(it.relative_to(files)) for it in files.rglob("*") if it.is_file()}
        self.assertEqual(names, COPIES.keys() | OTHERS)
        for name, source in COPIES.items():
            self.assertEqual((files / name).read_bytes(), source.read_bytes(), name)
        self.assertEqual((files / "usr/bin/ossuary").stat().st_mode & 0o7777, 0o755)
        self.assertEqual(set(re.findall(r"(?m)^.{10} (\S+)", run("dpkg-deb", "--contents", self.package)[1])), {"root/root"})

    def test_it_says_under_which_licences_its_libraries_are(self):
        files = self.place / "licences"
        self.assertEqual(run("dpkg-deb", "--extract", self.package, files), (0, ""))
        self.assertIn(f"/{LICENCES}", (DEBIAN / "copyright").read_text())
        packed = gzip.decompress((files / LICENCES).read_bytes())
        self.assertEqual((0, packed.decode()), run(DEBIAN / "licences"))
        # A package for a kiosk is small.
        self.assertLess((files / LICENCES).stat().st_size, 40_000)

    def test_another_processor_wants_its_program(self):
        self.assertEqual(run(DEBIAN / "build", "riscv64")[0], 2)

    def test_the_linter_finds_no_fault(self):
        # It does not want to be root, which is who runs this in a container.
        code, text = run("lintian", "--allow-root", "--fail-on", "error,warning", self.package)
        self.assertEqual((code, text), (0, ""))

    def test_it_would_find_one(self):
        code, text = run("lintian", "--allow-root", "--no-override", "--fail-on", "error,warning", self.package)
        self.assertNotEqual(code, 0)
        self.assertIn("maintainer-script-calls-systemctl", text)
