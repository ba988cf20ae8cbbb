"""The real daemon against its own description: schemathesis sends requests that it allows, and many that it does not."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
SCHEMATHESIS = TARGET / "contract/bin/schemathesis"

# Of each operation, the same ones each time; beside them every boundary of its schema is tried once.
EXAMPLES = 12

# Streams that do not end; tests/http/streams.rs tests them.
STREAMS = ["followEvents", "followLogs"]

CONFIGURATION = {
    "version": 3,
    "processes": {
        "sync": {"name": "Data Sync", "command": "sleep 1000", "autostart": False},
        "display": {"type": "chromium", "url": "https://example.org/", "display": ":9", "autostart": False},
    },
    "schedule": {
        "rules": [{"id": "noon", "trigger": {"type": "time", "time": "12:00"}, "action": {"type": "stop_process", "process_id": "sync"}}]
    },
}


class Daemon:
    """A daemon that can do no harm: it runs as `nobody`, and its PATH contains no program."""

    def __init__(self, home):
        home.chmod(0o777)
        program = home / "ossuary"
        shutil.copy(TARGET / "debug/ossuary", program)
        (home / "config.json").write_text(json.dumps(CONFIGURATION))
        (home / "config.json").chmod(0o666)
        programs = home / "programs"
        programs.mkdir()
        # A rule may restart the device: these are what it would call.
        for name in ["systemctl", "reboot"]:
            (programs / name).symlink_to("/bin/true")
        self.run_dir = ["--run-dir", home / "run"]
        self.program = program
        self.log = (home / "daemon.log").open("w")
        whose = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        self.process = subprocess.Popen(
            [program, "daemon", "--config", home / "config.json", "--state-dir", home / "state"]
            + self.run_dir
            + ["--listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={"PATH": str(programs)},
            cwd=home,
            text=True,
            **whose,
        )
        listening = "listening on "
        self.url = next(line[len(listening) :].strip() for line in self.process.stdout if line.startswith(listening))

    def token(self):
        made = subprocess.run(
            [self.program, "token", "add", "--name", "contract", "--role", "admin", *self.run_dir],
            check=True,
            capture_output=True,
            text=True,
        )
        return made.stdout.strip()

    def end(self):
        self.process.terminate()
        self.process.wait(60)
        self.process.stdout.close()
        self.log.close()


class Description(unittest.TestCase):
    def run_with(self, config, *options):
        with tempfile.TemporaryDirectory() as home:
            daemon = Daemon(Path(home))
            try:
                run = subprocess.run(
                    [SCHEMATHESIS, "--config-file", HERE / config, "run", ROOT / "src/http/api/openapi.json"]
                    + ["--url", daemon.url, "--header", f"Authorization: Bearer {daemon.token()}"]
                    + ["--checks", "all", "--max-examples", str(EXAMPLES), "--generation-deterministic"]
                    + ["--request-timeout", "30", "--suppress-health-check", "all", "--warnings", "off"]
                    + ["--continue-on-failure", "--no-color", *options],
                    env={**os.environ, "SCHEMATHESIS_HOOKS": "checks", "PYTHONPATH": str(HERE)},
                    capture_output=True,
                    text=True,
                    cwd=home,
                )
                self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
                self.assertIsNone(daemon.process.poll(), "the daemon has ended")
            finally:
                daemon.end()
        print(re.search(r"Test cases:\n(.*)", run.stdout)[1].strip())

    def test_every_request_is_answered_as_described(self):
        self.run_with("any.toml", *[f"--exclude-operation-id={name}" for name in STREAMS])

    def test_what_is_there_is_shown_and_changed_as_described(self):
        # A process that is removed is not there any more.
        excluded = [f"--exclude-operation-id={name}" for name in [*STREAMS, "deleteProcess"]]
        self.run_with("known.toml", "--include-path-regex", "[{]id[}]", "--phases", "examples,coverage,fuzzing", *excluded)


if __name__ == "__main__":
    unittest.main()
