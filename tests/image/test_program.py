"""The program itself, as a device runs it, before there is a device: its processor emulated, nothing else."""

import contextlib
import http.client
import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import tempfile
import unittest

from device import REPOSITORY, made, wait_until

# Longer than anything here takes on a busy machine; an emulated program that hangs, hangs for ever.
PATIENCE = 60

# A card is slow to read and a device short of memory.
SIZE_MAX = 2_400_000


def emulated(*arguments):
    return ["qemu-aarch64-static", str(made("program")), *map(str, arguments)]


def come_to(*arguments):
    done = subprocess.run(emulated(*arguments), capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout


class Program(unittest.TestCase):
    def test_it_needs_no_library_and_prints_its_version(self):
        headers = subprocess.run(["readelf", "--program-headers", made("program")], stdout=subprocess.PIPE, check=True)
        self.assertNotIn(b"INTERP", headers.stdout)
        code, text = come_to("--version")
        self.assertEqual(code, 0)
        self.assertRegex(text, r"^ossuary \d+\.\d+\.\d+")

    def test_it_is_small(self):
        program = made("program")
        if "musl" not in str(program):
            self.skipTest("made Debian's way it brings glibc, and is for tests alone")
        self.assertLess(program.stat().st_size, SIZE_MAX)

    def test_it_checks_configurations(self):
        self.assertEqual(come_to("check", REPOSITORY / "tests/data/plan.json"), (0, "ok\n"))
        with tempfile.NamedTemporaryFile("w") as file:
            file.write('{"version": 3, "processes": {"a": {"command": 7}}}')
            file.flush()
            code, text = come_to("check", file.name)
        self.assertEqual(code, 1)
        self.assertIn("processes.a.command", text)

    def test_it_keeps_processes_alive(self):
        process = {"command": "sleep 100000", "user": pwd.getpwuid(os.getuid()).pw_name}
        with daemon({"version": 3, "processes": {"a": process, "b": process}}) as kiosk:
            before = wait_until(kiosk.all_run)
            os.kill(before["a"]["pid"], signal.SIGSEGV)
            wait_until(lambda: kiosk.processes()["a"]["restarts"] == 1)
            after = wait_until(kiosk.all_run)
            self.assertNotEqual(after["a"]["pid"], before["a"]["pid"])
            self.assertEqual(after["b"]["pid"], before["b"]["pid"])
            kiosk.program.send_signal(signal.SIGTERM)
            self.assertEqual(kiosk.program.wait(PATIENCE), 0)
            for process in after.values():
                self.assertFalse(pathlib.Path(f"/proc/{process['pid']}").exists())


class Kiosk:
    """An emulated daemon, and a client of its API."""

    def __init__(self, program, socket):
        self.program = program
        self.socket = socket
        program.stdout.readline()  # it listens

    def processes(self):
        with contextlib.closing(http.client.HTTPConnection("localhost", timeout=PATIENCE)) as connection:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(self.socket))
            connection.request("GET", "/api/processes")
            return json.loads(connection.getresponse().read())["processes"]

    def all_run(self):
        """The processes, once they all run."""
        processes = self.processes()
        return processes if all(it["status"] == "running" for it in processes.values()) else None


@contextlib.contextmanager
def daemon(document):
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        (folder / "config.json").write_text(json.dumps(document))
        places = ["--config", folder / "config.json", "--state-dir", folder / "state", "--run-dir", folder / "run"]
        command = emulated("daemon", *places, "--listen", "127.0.0.1:0")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as program:
            try:
                yield Kiosk(program, folder / "run/ossuary.sock")
            finally:
                program.kill()
