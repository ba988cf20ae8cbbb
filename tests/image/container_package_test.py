"""The Debian package on an existing system: over the older program and back, replaced by a newer one, on a system that
does not run yet."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from container import Container
from device import REPOSITORY, made, wait_until

DOCUMENT = (REPOSITORY / "tests/data/v2.json").read_text()
PAGE = json.loads(DOCUMENT)["profiles"]["lumencanvas"]["config"]["canvas_url"]

# The older program's units, each with what it does that others notice.
OLDER = {
    "ossuary-startup": "[Service]\nExecStart=/opt/ossuary/process-manager.sh\nRuntimeDirectory=ossuary\n",
    "ossuary-web": "[Service]\nExecStart=systemd-socket-activate --listen=8081 tail --follow /dev/null\n",
    "captive-portal-proxy": "[Service]\nExecStart=systemd-socket-activate --listen=80 tail --follow /dev/null\n",
    "ossuary-connection-monitor": "[Service]\nExecStart=sleep infinity\n",
    # It starts the access point again, as it does where there is no network.
    "wifi-connect-manager": "[Service]\nExecStart=sh -c 'while sleep 0.5; do systemctl start wifi-connect; done'\n",
    "wifi-connect": "[Service]\nExecStart=sleep infinity\n",
}
STARTED = sorted(OLDER.keys() - {"wifi-connect"})

# What its users have on their systems, of the kind the package has to do with.
FILES = {
    "etc/ossuary/config.json": DOCUMENT,
    "var/lib/ossuary/schedule-last-check": "1700000000\n",
    "opt/ossuary/process-manager.sh": "#!/bin/sh\ntouch /run/ossuary/process.pid\nexec sleep infinity\n",
    "opt/ossuary/custom-ui/index.html": "<title>Ossuary</title>\n",
    "home/pi/.config/chromium-kiosk/Default/Cookies": "signed in",
    "home/pi/.config/chromium-kiosk/Default/GPUCache/data_0": "again and again",
    "usr/bin/chromium": "#!/bin/sh\nexec sleep infinity\n",
    "etc/logrotate.d/ossuary": "/var/log/ossuary-*.log {\n    weekly\n}\n",
}


def packages(*versions):
    """The package of this machine's processor and of the program as it is built here, called by these versions."""
    arch = subprocess.run(["dpkg", "--print-architecture"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        # What only a debugger reads would be packed and unpacked for a minute.
        subprocess.run(["strip", "-o", place / "program", made("program", "native")], check=True)
        build = [REPOSITORY / "debian/build", arch, place / "program"]
        environment = os.environ | {"CARGO_TARGET_DIR": directory}
        built = subprocess.run(build, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout.strip()
        subprocess.run(["dpkg-deb", "--raw-extract", built, place / "tree"], check=True)
        control = place / "tree/DEBIAN/control"
        for version in versions:
            control.write_text(re.sub("(?m)^Version: .*", f"Version: {version}", control.read_text()))
            pack = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", place / "tree", place / "it.deb"]
            subprocess.run(pack, stdout=subprocess.DEVNULL, check=True)
            yield version, (place / "it.deb").read_bytes()


def make_desktop(root):
    """A system with a person on it, and packages to install."""
    for version in "1", "2":
        (root / f"ossuary-{version}.deb").write_bytes(PACKAGES[version])
    subprocess.run(["chroot", root, "useradd", "--create-home", "--uid", "1000", "pi"], check=True)
    for name in "Default", "GPUCache":
        (root / "home/pi/.config/chromium-kiosk" / name).mkdir(parents=True, exist_ok=True)


def make_older_kiosk(root):
    """A system on which the older program is installed, as its own installer does it."""
    make_desktop(root)
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if text.startswith("#!"):
            file.chmod(0o755)
    (root / "etc/ossuary/config.json").chmod(0o600)
    subprocess.run(["chroot", root, "chown", "-R", "pi:", "/home/pi"], check=True)
    for name, text in OLDER.items():
        install = "[Install]\nWantedBy=multi-user.target\n" if name in STARTED else ""
        (root / "etc/systemd/system" / f"{name}.service").write_text(text + install)
    subprocess.run(["chroot", root, "systemctl", "--quiet", "enable", *STARTED], check=True)


PACKAGES = {}


def setUpModule():
    PACKAGES.update(packages("1", "2"))


class Package(unittest.TestCase):
    def start(self, prepare):
        self.kiosk = Container(prepare)
        self.addCleanup(self.kiosk.cut_power)
        # Until then systemd and its own are still writing files.
        self.kiosk.run("systemctl is-system-running --wait")

    def install(self, version):
        return self.kiosk.sh(f"dpkg -i /ossuary-{version}.deb")

    def units(self, state):
        """Those of the older program that are in this state, `enabled` or `active`."""
        said = self.kiosk.run(f"systemctl is-{state} {' '.join(OLDER)}")[1].split()
        self.assertEqual(len(said), len(OLDER), said)
        return sorted(name for name, it in zip(OLDER, said, strict=True) if it == state)

    def tree(self):
        """Every file of the system that is not the daily affair of dpkg and systemd, and what is in it."""
        affairs = ["/proc", "/sys", "/dev", "/run", "/tmp", "/var/lib/dpkg", "/var/log", "/var/lib/systemd", "/var/tmp"]
        without = " -o ".join(f"-path {place}" for place in affairs)
        shown = "-type d -printf '%p %M %U %G\\n' -o -printf '%p %M %U %G %s %l\\n'"
        listed = self.kiosk.sh(f"find / '(' {without} ')' -prune -o {shown}").splitlines()
        sums = self.kiosk.run("find /etc /opt /home /var/lib/ossuary -type f -exec sha256sum {} + 2>/dev/null")[1]
        return set(listed) | set(sums.splitlines())


class MovingOver(Package):
    def test_a_kiosk_moves_over_and_back_again(self):
        self.start(make_older_kiosk)
        kiosk = self.kiosk
        kiosk.sh("mkdir -p /tmp/.X11-unix && systemd-run --quiet --unit=screen"
                 " systemd-socket-activate --listen=/tmp/.X11-unix/X0 tail --follow /dev/null")
        wait_until(lambda: self.units("active") == sorted(OLDER))
        before = self.tree()

        said = self.install("1")
        self.assertIn("ossuary passwd", said)
        self.assertEqual((self.units("enabled"), self.units("active")), ([], []))
        kiosk.wait_for_states({"main-display": "running"})
        main = kiosk.processes()["main-display"]
        self.assertEqual((main["type"], main["url"], main["display"]), ("chromium", PAGE, ":0"))
        self.assertEqual(kiosk.sh(f"stat -c %U /proc/{main['pid']}"), "pi")
        self.assertEqual(kiosk.get("/api/config")["schedule"]["timezone"], "Europe/Berlin")
        self.assertEqual(kiosk.sh("cat /etc/ossuary/config.json.v2.bak"), DOCUMENT.strip())
        # Where the page was signed in, it still is.
        profile = "/var/lib/ossuary/profiles/main-display/Default"
        self.assertEqual(kiosk.sh(f"cat {profile}/Cookies"), "signed in")
        self.assertEqual(kiosk.run(f"ls {profile}/GPUCache")[0], 2)
        self.assertIn("claim code", kiosk.sh("ossuary status"))
        self.assertTrue(listens(kiosk, 8081))

        # What its operator does, and another version that takes over.
        kiosk.sh("ossuary add --name Steady --command 'sleep infinity'")
        kiosk.sh("echo 'a good password' | ossuary passwd")
        kiosk.wait_for_states({"steady": "running"})
        running = {id: it["pid"] for id, it in kiosk.processes().items()}
        daemon = kiosk.sh("systemctl show --property=MainPID --value ossuary")
        started = kiosk.get("/api/status")["started"]
        said = self.install("2")
        self.assertIn("has taken over from", said)
        self.assertNotIn("ossuary passwd", said, "it is claimed long since")
        self.assertEqual({id: it["pid"] for id, it in kiosk.processes().items()}, running)
        self.assertEqual(kiosk.sh("systemctl show --property=MainPID --value ossuary"), daemon)
        self.assertNotEqual(kiosk.get("/api/status")["started"], started)

        # And back.
        kiosk.sh("dpkg --remove ossuary")
        self.assertEqual(self.units("enabled"), STARTED)
        wait_until(lambda: self.units("active") == sorted(OLDER))
        left = {line.split()[-1] if line[:1] != "/" else line.split()[0] for line in self.tree() ^ before}
        self.assertEqual({name for name in left if not name.startswith("/var/lib/ossuary-older")}, set())
        self.assertFalse(any(lives(kiosk, pid) for pid in running.values()))

        # Installing it again restores the configuration.
        self.install("2")
        self.assertEqual((self.units("enabled"), self.units("active")), ([], []))
        kiosk.wait_for_states({"main-display": "running", "steady": "running"})
        self.assertNotIn("claim code", kiosk.sh("ossuary status"))

        kiosk.sh("dpkg --purge ossuary")
        self.assertEqual(self.units("enabled"), STARTED)
        self.assertEqual(self.tree() ^ before, set())

    def test_the_page_comes_up_on_the_desktop_of_today(self):
        self.start(make_older_kiosk)
        self.kiosk.sh("install -d -m 700 -o pi -g pi /run/user/1000 && systemd-run --quiet --unit=screen --uid=pi"
                      " systemd-socket-activate --listen=/run/user/1000/wayland-0 tail --follow /dev/null")
        wait_until(lambda: self.kiosk.run("ls /run/user/1000/wayland-0")[0] == 0)
        self.install("1")
        self.kiosk.wait_for_states({"main-display": "running"})
        main = self.kiosk.processes()["main-display"]
        self.assertEqual((main["url"], main["display"]), (PAGE, "wayland-0"))
        self.assertIn("XDG_RUNTIME_DIR=/run/user/1000", self.kiosk.sh(f"tr '\\0' '\\n' </proc/{main['pid']}/environ"))
        # What its operator says of the screen is the last word, also when the package comes again.
        self.kiosk.sh("ossuary set main-display display=:0 && dpkg --remove ossuary")
        self.install("1")
        self.assertEqual(self.kiosk.processes()["main-display"]["display"], ":0")


class SystemsThatDoNotRun(Package):
    def test_what_was_installed_into_an_image_takes_over_when_that_starts(self):
        def prepare(root):
            make_older_kiosk(root)
            for _ in range(2):
                subprocess.run(["chroot", root, "dpkg", "-i", "/ossuary-1.deb"], check=True, capture_output=True)

        self.start(prepare)
        self.kiosk.wait_for_api()
        self.assertEqual((self.units("enabled"), self.units("active")), ([], []))
        self.assertEqual(self.kiosk.processes()["main-display"]["url"], PAGE)
        self.kiosk.sh("dpkg --remove ossuary")
        self.assertEqual(self.units("enabled"), STARTED)


class NewSystems(Package):
    def test_a_new_kiosk_starts_and_is_nobodys_and_leaves_nothing(self):
        self.start(make_desktop)
        before = self.tree()
        self.assertIn("ossuary passwd", self.install("1"))
        self.assertIn("claim code", self.kiosk.sh("ossuary status"))
        self.assertEqual(self.kiosk.sh("systemctl is-enabled ossuary"), "enabled")
        # The desktop's user has the screen, so no account is created.
        self.assertEqual(self.kiosk.run("getent passwd kiosk")[0], 2)
        self.kiosk.sh("ossuary add --name Steady --command 'sleep infinity'")
        self.kiosk.sh("dpkg --remove ossuary && dpkg -i /ossuary-1.deb")
        self.kiosk.wait_for_states({"steady": "running"})
        self.kiosk.sh("dpkg --purge ossuary")
        self.assertEqual(self.tree() ^ before, set())

    def test_where_there_is_no_person_the_kiosk_has_an_account_of_its_own(self):
        self.start(lambda root: (root / "ossuary-1.deb").write_bytes(PACKAGES["1"]))
        self.install("1")
        self.assertEqual(self.kiosk.sh("stat -c '%U %a' /home/kiosk"), "kiosk 700")
        self.kiosk.configure(steady={"command": "sleep infinity"})
        self.assertEqual(self.kiosk.sh(f"stat -c %U /proc/{self.kiosk.processes()['steady']['pid']}"), "kiosk")


def listens(kiosk, port):
    """Whether a process in the container listens on this port (proc_pid_net_tcp(5))."""
    return re.search(rf":{port:04X}\b", kiosk.sh("awk '$4 == \"0A\" { print $2 }' /proc/net/tcp /proc/net/tcp6")) is not None


def lives(kiosk, pid):
    return kiosk.run(f"test -e /proc/{pid}")[0] == 0
