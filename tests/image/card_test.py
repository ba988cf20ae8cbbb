"""The card that operators flash: what somebody lays on it, and what a start makes of that."""

import time
import unittest

from card_guest import PASSWORD, Card, CardGuest, image

# Of the daemon itself: it tells the name that the kiosk was given.
PAGE = "file:///run/ossuary/welcome.html"

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
    def test_a_file_on_the_card_sets_it_up_and_is_erased(self):
        with Card() as card:
            card.lay(SETUP)
            with CardGuest(card) as guest:
                start = time.monotonic()
                guest.wait_for_api()
                print(f"the API answers after {time.monotonic() - start:.0f} s of emulation")
                self.assertEqual(guest.sign_in(), 200)
                status = guest.get("/api/status")
                self.assertEqual(status["configuration"]["problems"], [])
                self.assertEqual(guest.get("/api/system")["hostname"], "lobby")
            letter = card.letter()
            self.assertIn("was applied", letter)
            self.assertIn("ossuary.txt", card.files())
            self.assertNotIn("ossuary.json", card.files())
            for secret in PASSWORD, "battery staple":
                self.assertNotIn(secret.encode(), card.fat())

    def test_a_broken_file_keeps_no_kiosk_dark_and_is_explained(self):
        with Card() as card:
            card.lay(SETUP | {"hostname": "the lobby", "password": "short"})
            with CardGuest(card) as guest:
                guest.wait_for_api()
                self.assertEqual(guest.sign_in(), 401)
                self.assertEqual(guest.api("GET", "/api/claim")[1]["claimed"], False)
            letter = card.letter()
            self.assertIn("was not applied", letter)
            for path in "hostname", "password":
                self.assertIn(f"\n  {path}: must have", letter)


class Made(unittest.TestCase):
    def test_two_cards_of_the_same_things_are_the_same(self):
        first = image().rename(image().with_suffix(".first"))
        self.addCleanup(first.unlink)
        image.cache_clear()
        with open(first, "rb") as one, open(image(), "rb") as other:
            while block := one.read(1 << 20):
                self.assertEqual(block, other.read(1 << 20))
            self.assertEqual(other.read(), b"")
