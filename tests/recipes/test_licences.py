"""The licences of the program, as `debian/licences` prints them for the package and the card."""

import re
import tomllib
import unittest

from tree import REPOSITORY, run

LIBRARY = re.compile(r"(?m)^(\S+ \d\S*), [^:\n]+: ([\d ]+)")


def tree():
    """The libraries of the program, as cargo shows them, on every processor it is for."""
    found = set()
    for target in tomllib.loads((REPOSITORY / "deny.toml").read_text())["graph"]["targets"]:
        show = ["cargo", "tree", "--locked", "--edges=normal", "--prefix=none", f"--target={target}"]
        code, text = run(*show, cwd=REPOSITORY)
        assert code == 0, text
        found |= {re.sub("^([^ ]+) v([^ ]+).*", r"\1 \2", line) for line in text.splitlines()}
    return {it for it in found if not it.startswith("ossuary ")}


class Notices(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        code, cls.text = run(REPOSITORY / "debian/licences")
        assert code == 0, cls.text
        cls.head, *rest = re.split(r"(?m)^==== (\d+|Rust)$", cls.text)
        cls.words = dict(zip(rest[::2], rest[1::2], strict=True))

    def test_every_library_in_the_program_is_named_and_no_other(self):
        named = [name for name, _ in LIBRARY.findall(self.head)]
        self.assertEqual(named, sorted(tree()))

    def test_each_comes_with_its_terms(self):
        for name, numbers in LIBRARY.findall(self.head):
            terms = "".join(self.words[it] for it in numbers.split())
            # The shortest there are grant something in one sentence, and warrant nothing in another.
            self.assertRegex(terms, "(?i)permission|hereby grants|free to", name)
            self.assertRegex(terms, "(?is)as.is.*warrant|warrant.*as.is", name)

    def test_no_text_is_there_twice(self):
        texts = [it for number, it in self.words.items() if number != "Rust"]
        self.assertEqual(len(texts), len(set(texts)))

    def test_what_the_compiler_adds_is_named_too(self):
        self.assertIn("\nmusl, MIT: ", self.head)
        self.assertIn("\nRust's standard library, ", self.head)
