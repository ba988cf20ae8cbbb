"""The daemon and the floor, each with any number of children."""

import functools
import http.client
import json
import os
import pathlib
import shutil
import subprocess

from . import TIMEOUT, BenchError
from .place import Program


class Side:
    """A program under measurement: `up` starts it with a child for each command."""

    name = None
    captures = False  # whether it keeps the output of children, in bounded memory or files
    most = 1000  # children it can supervise
    served = None  # the path of its HTTP interface that returns the status of its children
    post = None  # the body of the request, if it is a POST

    def up(self, place, commands):
        raise NotImplementedError


class Ours(Side):
    name = "ours"
    captures = True
    served = "/api/processes"

    def up(self, place, commands, **more):
        return Ossuary(place, commands, **more)


class Floor(Side):
    name = "floor"

    def up(self, place, commands):
        # The commands differ only in a number, for which `%` is the placeholder.
        first = commands[0]
        if len(commands) > 1:
            first = [one if one == other else "%" for one, other in zip(commands[0], commands[1])]
        program = [shutil.which(first[0]), *first[1:]]
        return Program(place, [str(place.built / "supervise"), str(len(commands)), *program])


class Ossuary(Program):
    """The daemon."""

    def __init__(self, place, commands, user=None, document=None, wrapper=()):
        self.home = place.home("ours")
        self.run_dir = place.fast / "run"
        shutil.rmtree(self.run_dir, ignore_errors=True)
        # In a container nothing reports that the clock is synchronised, and the daemon would check for it every ten
        # seconds. On a kiosk it is known.
        self.run_dir.mkdir(mode=0o700)
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        (self.run_dir / "clock").write_text(boot)
        # A daemon of root starts nothing as root unless configured to; no other account can change the user.
        common = {"user": user or "root"} if os.geteuid() == 0 else {}
        processes = {
            f"p{number}": {"command": " ".join(map(str, command)), **common}
            for number, command in enumerate(commands)
        }
        self.config = self.home / "config.json"
        self.config.write_text(
            json.dumps({"version": 3, "processes": processes, **(document or {})})
        )
        self.program = str(place.ossuary)
        command = [*wrapper, self.program, "daemon", "--config", str(self.config)]
        command += ["--state-dir", str(self.home / "state"), "--run-dir", str(self.run_dir)]
        super().__init__(place, [*command, "--listen", "127.0.0.1:0"])

    @functools.cached_property
    def address(self):
        """The address it listens on."""
        return self.line().strip().removeprefix("listening on http://")

    @functools.cached_property
    def credential(self):
        """The Authorization header of a client."""
        command = [self.program, "token", "add", "--name", "bench", "--role", "admin"]
        command += ["--run-dir", self.run_dir]
        made = subprocess.run(command, capture_output=True, text=True, check=True)
        return f"Bearer {made.stdout.strip()}"

    def connect(self):
        """A kept connection to its API."""
        return http.client.HTTPConnection(self.address, timeout=TIMEOUT)

    def ask(self, path, method="GET", body=None, connection=None):
        """The JSON body of an API response; None if it is empty."""
        client = connection or self.connect()
        headers = {"Authorization": self.credential, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        client.request(method, path, body, headers)
        response = client.getresponse()
        text = response.read()
        if connection is None:
            client.close()
        if response.status >= 300:
            raise BenchError(f"{method} {path} returns {response.status}: {text.decode()}")
        return json.loads(text) if text else None
