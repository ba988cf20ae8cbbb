"""The program itself, as a device runs it, before there is a device: its processor emulated, nothing else."""

import http.client
import json
import os
import pathlib
import pwd
import signal
import subprocess
import tempfile
import unittest

from guest import REPOSITORY, made, wait_until

# Longer than anything here takes on a busy machine; an emulated program that hangs, hangs for ever.
PATIENCE = 60


def emulated(*arguments):
    return ["qemu-aarch64-static", str(made("program")), *map(str, arguments)]


def come_to(*arguments):
    done = subprocess.run(emulated(*arguments), capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout


class Program(unittest.TestCase):
    def test_it_is_static_and_tells_its_version(self):
        headers = subprocess.run(["readelf", "--program-headers", made("program")], stdout=subprocess.PIPE, check=True)
        self.assertNotIn(b"INTERP", headers.stdout)
        code, text = come_to("--version")
        self.assertEqual(code, 0)
        self.assertRegex(text, r"^ossuary \d+\.\d+\.\d+")

    def test_it_checks_configurations(self):
        self.assertEqual(come_to("check", REPOSITORY / "tests/data/plan.json"), (0, "ok\n"))
        with tempfile.NamedTemporaryFile("w") as file:
            file.write('{"version": 3, "processes": {"a": {"command": 7}}}')
            file.flush()
            code, text = come_to("check", file.name)
        self.assertEqual(code, 1)
        self.assertIn("processes.a.command", text)

    def test_it_keeps_processes_alive(self):
        account = pwd.getpwuid(os.getuid()).pw_name
        process = {"command": "sleep 100000", "user": account}
        with tempfile.TemporaryDirectory() as directory:
            directory = pathlib.Path(directory)
            config = directory / "config.json"
            config.write_text(json.dumps({"version": 3, "processes": {"a": process, "b": process}}))
            daemon = subprocess.Popen(
                emulated("daemon", "--config", config, "--state-dir", directory / "state")
                + ["--run-dir", str(directory / "run"), "--listen", "127.0.0.1:0"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            try:
                address = daemon.stdout.readline().split("http://")[1].strip()

                def processes():
                    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
                    connection.request("GET", "/api/processes")
                    return json.loads(connection.getresponse().read())["processes"]

                def all_run():
                    now = processes()
                    return now if all(it["status"] == "running" for it in now.values()) else None

                before = wait_until(all_run)
                os.kill(before["a"]["pid"], signal.SIGSEGV)
                wait_until(lambda: processes()["a"]["restarts"] == 1)
                after = wait_until(all_run)
                self.assertNotEqual(after["a"]["pid"], before["a"]["pid"])
                self.assertEqual(after["b"]["pid"], before["b"]["pid"])
                daemon.send_signal(signal.SIGTERM)
                self.assertEqual(daemon.wait(PATIENCE), 0)
                with self.assertRaises(ProcessLookupError):
                    os.kill(after["b"]["pid"], 0)
            finally:
                daemon.kill()
                daemon.wait()
                daemon.stdout.close()
