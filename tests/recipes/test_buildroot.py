"""The external tree for Buildroot, without Buildroot."""

import pathlib
import re
import shutil
import tempfile
import unittest

from tree import BOARDS, BUILDROOT, DEFCONFIGS, RECIPE, cargo, run, settings, variable

EXTERNAL = "$(BR2_EXTERNAL_OSSUARY_PATH)"

# What may differ between two boards: the processor, the kernel, the graphics, the firmware, the radio.
OF_A_BOARD = re.compile(
    "BR2_(cortex_|ARM_|LINUX_|GLOBAL_PATCH|ROOTFS_POST_IMAGE_SCRIPT_ARGS|PACKAGE_(MESA3D_GALLIUM|RPI_FIRMWARE|BRCMFMAC"
    "|IWD|WIRELESS|HOST_KMOD))"
)


class Configurations(unittest.TestCase):
    def test_there_is_one_for_each_board(self):
        self.assertEqual(len(DEFCONFIGS), 4)
        named = [settings(it)["BR2_ROOTFS_POST_IMAGE_SCRIPT_ARGS"] for it in DEFCONFIGS]
        self.assertEqual(sorted(named), [f"-c {EXTERNAL}/board/{board}/genimage.cfg" for board in BOARDS])

    def test_every_file_they_name_exists(self):
        for defconfig in DEFCONFIGS:
            for path in re.findall(rf'{re.escape(EXTERNAL)}([^ "]+)', defconfig.read_text()):
                self.assertTrue((BUILDROOT / path[1:]).exists(), f"{defconfig.name}: {path}")

    def test_but_for_the_board_they_say_the_same(self):
        def shared(defconfig):
            return {name: value for name, value in settings(defconfig).items() if not OF_A_BOARD.match(name)}

        for defconfig in DEFCONFIGS[1:]:
            self.assertEqual(shared(defconfig), shared(DEFCONFIGS[0]), defconfig.name)

    def test_the_overlay_is_the_tree_s_and_the_root_is_only_read(self):
        for defconfig in DEFCONFIGS:
            self.assertIn(f"{EXTERNAL}/../rootfs-overlay", settings(defconfig)["BR2_ROOTFS_OVERLAY"])
            self.assertIn("# BR2_TARGET_GENERIC_REMOUNT_ROOTFS_RW is not set\n", defconfig.read_text())
        words = (BUILDROOT / "board/cmdline.txt").read_text().split()
        self.assertLessEqual({"ro", "rootwait", "fsck.repair=yes", "cgroup_enable=memory"}, set(words))


class Root(unittest.TestCase):
    def test_the_data_partition_has_its_places_however_often_the_root_is_made(self):
        root = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-root-"))
        self.addCleanup(shutil.rmtree, root)
        (root / "etc").mkdir()
        (root / "etc/fstab").write_text("/dev/root / auto ro 0 1\n")
        for _ in range(2):
            self.assertEqual(run(BUILDROOT / "board/post-build.sh", root), (0, ""))
        lines = (root / "etc/fstab").read_text().splitlines()
        self.assertEqual(lines[0], "/dev/root / auto ro 0 1")
        self.assertEqual([line.split()[:3] for line in lines[1:]], [["PARTUUID=6f737375-03", "/data", "ext4"]])
        # It grows, and without it the system starts all the same.
        self.assertLessEqual({"x-systemd.growfs", "nofail"}, set(lines[1].split()[3].split(",")))
        for place in "data", "etc/ossuary", "home":
            self.assertTrue((root / place).is_dir(), place)
        self.assertEqual((root / "etc/localtime").readlink(), pathlib.Path("/data/etc/localtime"))


class Card(unittest.TestCase):
    """genimage makes each board's card, of files that are there but say nothing."""

    def make(self, board):
        place = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-card-"))
        self.addCleanup(shutil.rmtree, place)
        for name in "in", "out", "root":
            (place / name).mkdir()
        config = BUILDROOT / "board" / board / "genimage.cfg"
        files = re.search(r"files = \{(.*?)\}", config.read_text(), re.DOTALL)[1]
        for name in re.findall(r'"(.*?)"', files):
            file = place / "in" / name
            if name == "rpi-firmware/overlays":
                file = file / "vc4-kms-v3d.dtbo"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)
        root = place / "in/rootfs.ext4"
        with open(root, "wb") as file:
            file.truncate(16 << 20)
        self.assertEqual(run("mke2fs", "-q", "-t", "ext4", root)[0], 0)
        places = [f"--{kind}path={place / name}" for kind, name in {"root": "root", "input": "in", "output": "out"}.items()]
        code, text = run("genimage", *places, f"--tmppath={place / 'tmp'}", f"--config={config}")
        self.assertEqual(code, 0, text)
        return place / "out"

    def test_it_has_what_the_firmware_reads_a_root_and_the_data(self):
        for board in BOARDS:
            out = self.make(board)
            table = run("sfdisk", "--dump", out / "sdcard.img")[1]
            self.assertEqual(re.findall(r"type=(\w+)", table), ["c", "83", "83"], board)
            self.assertTrue(all(int(start) % 2048 == 0 for start in re.findall(r"start= *(\d+)", table)), table)
            # By this the kernel finds its root.
            signature = re.search("label-id: 0x(.*)", table)[1]
            self.assertIn(f"root=PARTUUID={signature}-02 ", (BUILDROOT / "board/cmdline.txt").read_text())
            self.assertIn(f"PARTUUID={signature}-03 /data", (BUILDROOT / "board/post-build.sh").read_text())
            data = run("dumpe2fs", "-h", out / "data.ext4")[1]
            self.assertRegex(data, r"(?m)^Filesystem volume name: +ossuary-data$")
            self.assertRegex(data, r"(?m)^Block size: +4096$")

    def test_the_firmware_finds_what_it_is_configured_to_start(self):
        for board in BOARDS:
            if not board.startswith("raspberrypi"):
                continue
            out = self.make(board)
            names = run("mdir", "-b", "-/", "-i", out / "boot.vfat", "::")[1].replace("::/", "").split()
            config = (BUILDROOT / "board" / board / "config.txt").read_text()
            for name in re.findall(r"^(?:kernel|start_file|fixup_file)=(.*)$", config, re.MULTILINE):
                self.assertIn(name, names, board)
            for name in re.findall(r"^dtoverlay=([^,\n]*)", config, re.MULTILINE):
                self.assertIn(f"overlays/{name}.dtbo", names, board)
            self.assertIn("cmdline.txt", names)

    def test_the_kernel_s_descriptions_of_the_board_are_on_it(self):
        for defconfig in DEFCONFIGS:
            made = settings(defconfig).get("BR2_LINUX_KERNEL_INTREE_DTS_NAME", "").split()
            board = settings(defconfig)["BR2_ROOTFS_POST_IMAGE_SCRIPT_ARGS"].split("/")[-2]
            taken = re.findall(r'"(.*?)\.dtb"', (BUILDROOT / "board" / board / "genimage.cfg").read_text())
            self.assertEqual([it.removeprefix("broadcom/") for it in made], taken, board)


class Package(unittest.TestCase):
    source = BUILDROOT / "package/ossuary/source"

    def test_it_has_the_version_of_the_program(self):
        text = (BUILDROOT / "package/ossuary/ossuary.mk").read_text()
        self.assertIn(f"OSSUARY_VERSION = {cargo()['package']['version']}-$(shell", text)
        self.assertIn("OSSUARY_LICENSE = MIT\nOSSUARY_LICENSE_FILES = LICENSE\n", text)

    def test_the_archive_is_the_same_each_time_and_all_that_cargo_needs(self):
        place = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-source-"))
        self.addCleanup(shutil.rmtree, place)
        for name in "first.tar.gz", "second.tar.gz":
            self.assertEqual(run(self.source, "tar", "ossuary-x", place / name), (0, ""))
        self.assertEqual((place / "first.tar.gz").read_bytes(), (place / "second.tar.gz").read_bytes())
        run("tar", "-xf", place / "first.tar.gz", "-C", place)
        code, text = run("cargo", "metadata", "--locked", "--offline", "--format-version=1", "--no-deps",
                         cwd=place / "ossuary-x")
        self.assertEqual(code, 0, text)
        # Everything that is linked into the program is in there.
        for file in (place / "ossuary-x/src").rglob("*.rs"):
            for name in re.findall(r'include_(?:str|bytes)!\(\s*"(.*?)"', file.read_text()):
                self.assertTrue((file.parent / name).exists(), f"{file.name}: {name}")

    def test_its_version_changes_with_the_program(self):
        place = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-source-"))
        self.addCleanup(shutil.rmtree, place)
        run("tar", "-xf", self.archive(place), "-C", place)
        tree = place / "ossuary-x"
        shutil.copytree(BUILDROOT / "package", tree / "buildroot/package")
        sums = [run(tree / "buildroot/package/ossuary/source", "sum")[1]]
        self.assertEqual(sums, [run(self.source, "sum")[1]])
        (tree / "src/main.rs").write_text("")
        self.assertNotEqual(run(tree / "buildroot/package/ossuary/source", "sum")[1], sums[0])

    def archive(self, place):
        run(self.source, "tar", "ossuary-x", place / "tree.tar.gz")
        return place / "tree.tar.gz"

    def test_the_recipe_for_yocto_is_made_of_the_same_parts(self):
        parts = re.search('^parts="(.*)"$', self.source.read_text(), re.MULTILINE)[1].split()
        given = [it.removeprefix("file://").split(";")[0] for it in variable("SRC_URI") if it.startswith("file://")]
        # There the overlay is the package's as well; Buildroot takes it as it is.
        self.assertEqual(sorted(given), sorted([*parts, "rootfs-overlay"]))
        for part in given:
            self.assertTrue((RECIPE.parent / "../../../.." / part).exists(), part)
