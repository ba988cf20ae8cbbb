"""The layer for Yocto, without bitbake."""

import hashlib
import re
import unittest

import crates
from tree import BUILDROOT, LAYER, OVERLAY, RECIPE, REPOSITORY, TARGET, UNITS, cargo, run, variable

LINTER = TARGET / "recipes/oelint/bin/oelint-adv"

# The linter would like what is right for other recipes: its own network to try a link by, and another form of the
# list that bitbake writes.
UNFIT = ["oelint.vars.homepageping"]
GENERATED = "/ossuary-crates.inc:"


def granted(expression, licences):
    """Whether a crate that is under this may be used under those licences alone."""

    def word(found):
        return {"OR": " or ", "AND": " and ", "/": " or "}.get(found[0], str(found[0] in licences))

    return eval(re.sub(r"[\w.-]+(?: WITH [\w.-]+)?|/", word, expression))  # Nothing is left but `or`, `and`, and truths.


class Recipe(unittest.TestCase):
    def test_it_has_the_version_of_the_program(self):
        version = cargo()["package"]["version"]
        self.assertEqual(RECIPE.name, f"ossuary_{version}.bb")
        self.assertIn(f'\nDISTRO_VERSION = "{version}"\n', (LAYER / "conf/distro/ossuaryos.conf").read_text())

    def test_its_crates_are_those_of_cargo_lock(self):
        expected = crates.crates((REPOSITORY / "Cargo.lock").read_text())
        self.assertEqual(crates.LIST.read_text(), expected, "python3 tests/recipes/crates.py writes it again")

    def test_it_brings_the_notices_of_its_crates(self):
        self.assertEqual(crates.LICENCES.read_text(), crates.licences(), "python3 tests/recipes/crates.py writes it again")

    def test_it_names_the_licence_there_is(self):
        licence = (REPOSITORY / "LICENSE").read_bytes()
        self.assertEqual(variable("LIC_FILES_CHKSUM"), [f"file://LICENSE;md5={hashlib.md5(licence).hexdigest()}"])
        self.assertEqual((LAYER / "COPYING.MIT").read_bytes(), licence)
        self.assertEqual(variable("LICENSE:${PN}-kiosk"), [cargo()["package"]["license"]])

    def test_every_crate_can_be_had_under_the_licences_it_names_and_each_of_those_is_needed(self):
        named = set(variable("LICENSE")) - {"&"}
        wanted = [it["license"] for it in crates.debian_licences().libraries()] + [cargo()["package"]["license"]]

        def too_few(licences):
            return [it for it in wanted if not granted(it, licences)]

        self.assertEqual(too_few(named), [])
        for licence in named:
            self.assertNotEqual(too_few(named - {licence}), [], licence)

    def test_every_unit_is_in_a_package_and_starts(self):
        units = {it.name for it in UNITS.iterdir() if it.is_file()}
        self.assertEqual(variable("SYSTEMD_SERVICE:${PN}"), ["ossuary.service"])
        self.assertEqual({"ossuary.service", *variable("SYSTEMD_SERVICE:${PN}-kiosk")}, units)

    def test_every_file_of_the_overlay_is_in_a_package(self):
        names = {
            "${datadir}": "usr/share",
            "${nonarch_libdir}": "usr/lib",
            "${systemd_system_unitdir}": "usr/lib/systemd/system",
            "${systemd_unitdir}": "usr/lib/systemd",
        }
        patterns = []
        for pattern in variable("FILES:${PN}") + variable("FILES:${PN}-kiosk"):
            for name, place in names.items():
                pattern = pattern.replace(name, place)
            patterns.append(re.compile(re.escape(pattern).replace(r"\*", "[^/]*") + "(/.*)?"))
        for file in OVERLAY.rglob("*"):
            name = str(file.relative_to(OVERLAY))
            # The units that start are added by the class.
            if file.is_file() and file.parent != UNITS:
                self.assertTrue(any(pattern.fullmatch(name) for pattern in patterns), name)


class Layer(unittest.TestCase):
    def test_every_file_a_recipe_names_exists(self):
        for recipe in LAYER.rglob("*.bb*"):
            for name in variable("SRC_URI", recipe):
                if recipe != RECIPE and name.startswith("file://"):
                    places = [recipe.parent / recipe.name.split("_")[0] / name[7:], recipe.parent / "files" / name[7:]]
                    self.assertTrue(any(it.exists() for it in places), f"{recipe.name}: {name}")
            for name in re.findall(r"^require (\S+)$", recipe.read_text(), re.MULTILINE):
                name = name.replace("${BPN}", "ossuary")
                self.assertTrue((LAYER / name).exists() or (recipe.parent / name).exists(), f"{recipe.name}: {name}")
        for name in re.findall('"(.*?wks)"', (LAYER / "conf/distro/ossuaryos.conf").read_text()):
            self.assertTrue((LAYER / "files/wic" / name).exists(), name)

    def test_the_kernel_is_started_as_by_buildroot(self):
        append = LAYER / "dynamic-layers/raspberrypi/recipes-bsp/bootfiles/rpi-cmdline.bbappend"
        words = set(variable("CMDLINE:append:ossuaryos", append))
        theirs = set((BUILDROOT / "board/cmdline.txt").read_text().split())
        # These two come from the layer of the boards.
        self.assertEqual(words | {"rootwait", "logo.nologo"}, {it for it in theirs if not it.startswith("root")} | {"rootwait"})
        self.assertIn('\nDISABLE_RPI_BOOT_LOGO = "1"\n', (LAYER / "conf/distro/ossuaryos.conf").read_text())

    def test_the_data_partition_is_mounted_as_by_buildroot(self):
        options = re.search("/data ext4 (.*) 0 2'", (BUILDROOT / "board/post-build.sh").read_text())[1]
        for file in (LAYER / "files/wic").iterdir():
            line = re.search("^part /data .*$", file.read_text(), re.MULTILINE)[0]
            for word in f'--fsoptions "{options}"', "--label ossuary-data", "--fspassno 2", "-b 4096 -T default":
                self.assertIn(word, line, file.name)
            # Nothing may be mounted by the label: see post-build.sh.
            self.assertNotIn("--use-label", line, file.name)

    def test_the_linter_finds_no_fault(self):
        if not LINTER.exists():
            self.skipTest("oelint-adv is not here: see tests/recipes/tools")
        files = [it for it in LAYER.rglob("*") if it.suffix in (".bb", ".bbappend", ".inc")]
        self.assertGreaterEqual(len(files), 7)
        suppressed = [word for rule in UNFIT for word in ("--suppress", rule)]
        code, text = run(LINTER, "--quiet", "--hide", "info", "--release=wrynose", *suppressed, *files)
        found = [line for line in text.splitlines() if GENERATED not in line]
        self.assertEqual(found, [])
