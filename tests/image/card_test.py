"""The card that operators flash: a first-boot file on it, what a start does with that, and power loss meanwhile."""

import contextlib
import gzip
import os
import random
import threading
import time
import unittest

from card_guest import PASSWORD, SLOW, Card, CardGuest, image, on_root
from device import wait_until

CUTS = int(os.environ.get("OSSUARY_POWER_CUTS", "3"))

# The daemon shows the name of the kiosk.
PAGE = "file:///run/ossuary/welcome.html"

# What that page is painted in: its ground, which is most of it, and the paper of its QR code (`page.css`).
GROUND = (0x12, 0x12, 0x11)
PAPER = (0xDE, 0xD8, 0xCE)

# Whose work is on it, one for each way there: installed, only unpacked, our own.
WORKS = ["base-files", "chromium", "firmware-brcm80211", "busybox-static", "raspi-firmware", "ossuary"]

# From power to the API, in seconds, where the emulator has the machine to itself.
BOOT = 45

SETUP = {
    "hostname": "lobby",
    "timezone": "Europe/Berlin",
    "password": PASSWORD,
    "wifi": [{"name": "Gallery", "passphrase": "battery staple"}, {"name": "Café"}],
    "config": {
        "version": 3,
        "processes": {
            "main-display": {"type": "chromium", "command": "chromium", "url": PAGE, "display": "wayland-0"},
        },
        "active_display_process": "main-display",
    },
}


class FlashedCard(unittest.TestCase):
    def test_a_file_on_the_card_sets_it_up_and_the_page_is_painted(self):
        with Card() as card:
            card.put(SETUP)
            with CardGuest(card) as guest:
                start = time.monotonic()
                guest.wait_for_api()
                print(f"the API answers after {time.monotonic() - start:.0f} s of emulation")
                self.assertEqual(guest.sign_in(), 200)
                status = guest.get("/api/status")
                self.assertEqual(status["configuration"]["problems"], [])
                self.assertEqual(guest.get("/api/system")["hostname"], "lobby")
                screen = wait_until(lambda: shown(guest), SLOW)
                print(f"the page is on the screen after {time.monotonic() - start:.0f} s of emulation")
                self.assertGreater(screen[GROUND], sum(screen.values()) / 2)
                # That slow, it may have been taken for hung on the way.
                wait_until(lambda: guest.processes()["main-display"]["page"]["state"] == "healthy")
                # The compositor has a display for programs of X, too. To look whether it is there starts none.
                self.assertIn(":0", [display["name"] for display in guest.get("/api/displays")["displays"]])
                self.assertEqual(guest.sh("cat /proc/[0-9]*/comm 2>&1 | grep -c Xwayland || true"), "0")
            letter = card.letter()
            self.assertIn("was applied", letter)
            self.assertIn("ossuary.txt", card.files())
            self.assertNotIn("ossuary.json", card.files())
            for secret in PASSWORD, "battery staple":
                self.assertNotIn(secret.encode(), card.fat())

    def test_a_broken_file_keeps_no_kiosk_dark_and_is_explained(self):
        with Card() as card:
            card.put(SETUP | {"hostname": "the lobby", "password": "short"})
            with CardGuest(card) as guest:
                guest.wait_for_api()
                self.assertEqual(guest.sign_in(), 401)
                self.assertEqual(guest.api("GET", "/api/claim")[1]["claimed"], False)
            letter = card.letter()
            self.assertIn("was not applied", letter)
            for path in "hostname", "password":
                self.assertIn(f"\n  {path}: must have", letter)

    def test_without_a_data_partition_it_is_a_kiosk_in_memory_and_says_so(self):
        for ruin in Card.lose_data, Card.spoil_data:
            with self.subTest(ruin.__name__), Card() as card:
                card.put(SETUP)
                ruin(card)
                before = card.behind_the_root()
                with CardGuest(card, patience=120) as guest:
                    guest.wait_for_api()
                    self.assertEqual(guest.api("GET", "/api/claim")[1]["claimed"], False)
                    guest.get_in()
                    self.assertEqual(guest.get("/api/status")["configuration"]["problems"], [])
                    self.assertEqual(guest.get("/api/system")["disk"]["in_memory"], True)
                    self.assertIn("runs from memory", guest.sh("journalctl --quiet --boot --priority=err"))
                    wait_until(lambda: shown(guest), SLOW)
                    # What is set up is in force, if not for long.
                    self.assertEqual(guest.api("PUT", "/api/config", numbered(1))[0], 200)
                    self.assertEqual(guest.get("/api/config")["processes"]["counter"]["name"], "1")
                self.assertEqual(card.behind_the_root(), before)
                self.assertIn("cannot be used", card.letter())
                self.assertIn("ossuary.json", card.files())

    def test_a_formatted_data_partition_is_used_like_the_first_one(self):
        with Card() as card:
            card.put(SETUP)
            card.spoil_data()
            with CardGuest(card, patience=120) as guest:
                guest.wait_for_api()
                self.assertEqual(guest.sign_in(), 401)
            card.format_data()
            with CardGuest(card) as guest:
                guest.wait_for_api()
                self.assertEqual(guest.sign_in(), 200)
                self.assertEqual(guest.get("/api/system")["disk"]["in_memory"], False)
            self.assertIn("was applied", card.letter())

    def test_power_may_go_at_any_instant(self):
        seed = random.randrange(1 << 32)
        print(f"{CUTS} power cuts, seed {seed}")
        dice = random.Random(seed)
        # Without a browser, which has its own files and would take minutes to start.
        setup = SETUP | {"config": numbered(0)}
        kept = asked = 0
        with Card() as card:
            card.put(setup)
            for cut in range(CUTS):
                with CardGuest(card) as guest:
                    # Half of them while it boots, the first boot foremost; half while its configuration is changed.
                    if cut == 0 or dice.random() < 0.5:
                        delay = dice.uniform(1, BOOT)
                        time.sleep(delay)
                        what = f"{delay:.1f} s after power"
                    else:
                        kept = asked = self.number(guest, kept, asked)
                        cut_power = threading.Timer(dice.uniform(0.1, 5), guest.qemu.kill)
                        cut_power.start()
                        with contextlib.suppress(OSError):
                            while True:
                                asked += 1
                                status, answer = guest.api("PUT", "/api/config", numbered(asked))
                                self.assertEqual(status, 200, answer)
                                kept = asked
                        cut_power.join()
                        what = f"while {asked} followed {kept}"
                print(f"cut {cut + 1}: {what}")
                self.assertEqual(card.check(), "")
            with CardGuest(card) as guest:
                self.number(guest, kept, asked)
            self.assertIn("was applied", card.letter())

    def number(self, guest, kept, asked):
        """The number of the configuration that a guest comes up with: the last that was acknowledged, or one that was
        under way when the power went."""
        guest.wait_for_api()
        self.assertEqual(guest.sign_in(), 200)
        self.assertEqual(guest.get("/api/system")["hostname"], "lobby")
        self.assertEqual(guest.get("/api/status")["configuration"]["problems"], [])
        number = int(guest.get("/api/config")["processes"]["counter"]["name"])
        self.assertIn(number, range(kept, asked + 1))
        return number


class Made(unittest.TestCase):
    def test_two_cards_of_the_same_things_are_the_same(self):
        first = image().rename(image().with_suffix(".first"))
        self.addCleanup(first.unlink)
        image.cache_clear()
        with open(first, "rb") as one, open(image(), "rb") as other:
            while block := one.read(1 << 20):
                self.assertEqual(block, other.read(1 << 20))
            self.assertEqual(other.read(), b"")

    def test_a_card_says_under_which_licences_it_is_passed_on(self):
        kernel = next(it for it in on_root("ls -p /usr/lib/modules").decode().split("/") if it.endswith("-arm64"))
        for work in [*WORKS, f"linux-image-{kernel}"]:
            self.assertIn(b"Copyright", on_root(f"cat /usr/share/doc/{work}/copyright"), work)
        # Debian's name these and do not repeat them.
        self.assertIn(b"GNU GENERAL PUBLIC LICENSE", on_root("cat /usr/share/common-licenses/GPL-2"))
        self.assertIn(b"\nsmol ", gzip.decompress(on_root("cat /usr/share/doc/ossuary/licences.gz")))


def shown(guest):
    """The colours of the screen, as soon as the page is there."""
    # While the emulator takes a picture the guest stands still.
    time.sleep(5)
    screen = guest.colours()
    return screen if screen[GROUND] and screen[PAPER] else None


def numbered(number):
    """A configuration that differs from all others, and that is longer than a block of the disk."""
    counter = {"name": str(number), "command": "sleep infinity", "env": {"PADDING": "x" * 8192}, "autostart": False}
    return {"version": 3, "processes": {"counter": counter}}
