"""A program for a device is linked by the linker of its recipe: rust-lld or GNU's."""

import subprocess
import tempfile
import unittest

from tree import REPOSITORY

SCRIPT = REPOSITORY / "src/without-unwinding.ld"


class Script(unittest.TestCase):
    def test_gnu_s_linker_makes_a_static_program_by_it(self):
        with tempfile.TemporaryDirectory() as place:
            program = f"{place}/program"
            command = ["gcc", "-x", "c", "-", "-static", f"-T{SCRIPT}", "-o", program]
            subprocess.run(command, input=b"int main(void) { return 7; }", check=True)
            self.assertEqual(subprocess.run([program]).returncode, 7)
