"""A device to test, emulated or in a container (see `guest` and `container`): its commands, and a client of its API.

    python3 -m unittest discover tests/image                 # all of this ring
    python3 -m unittest discover tests/image -k watchdog     # what has this in its name
"""

import functools
import http.client
import json
import os
import pathlib
import subprocess
import time

# Longer than anything here takes on a busy machine; only a test that fails waits this long.
PATIENCE = 300

REPOSITORY = pathlib.Path(__file__).parents[2]


@functools.cache
def made(what, *how, **settings):
    """What the script of this name makes (`program`, `card`), made on the first call."""
    command = [REPOSITORY / "tests/image" / what, *how]
    environment = os.environ | settings
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=REPOSITORY, env=environment)
    return REPOSITORY / done.stdout.splitlines()[-1]


class Device:
    """What runs commands (`run`) and can be talked to (`connect`)."""

    def sh(self, command, timeout=PATIENCE):
        """A shell command, as `run` takes it, for a command that has to succeed: what it printed."""
        code, output = self.run(command, timeout)
        if code != 0:
            raise AssertionError(f"`{command}` came to {code}:\n{output}")
        return output.strip()

    # ---- the API ----

    def credential(self):
        """The header fields by which the kiosk lets the test in. The unix socket needs none."""
        return {}

    def api(self, method, path, document=None, timeout=PATIENCE):
        """One request: the status code and the document that came. OSError without an answer."""
        connection = self.connect(timeout)
        try:
            body = None if document is None else json.dumps(document)
            fields = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body, fields | self.credential())
            answer = connection.getresponse()
            text = answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error}") from error
        finally:
            connection.close()
        if answer.getheader("Content-Type", "").split(";")[0].endswith("json"):
            return answer.status, json.loads(text)
        return answer.status, text.decode()

    def get(self, path):
        """The document at this path."""
        status, document = self.api("GET", path)
        if status != 200:
            raise AssertionError(f"GET {path} came to {status}: {document}")
        return document

    def configure(self, **processes):
        """Makes these processes the whole configuration, and returns when all that start by themselves run."""
        status, answer = self.api("PUT", "/api/config", {"version": 3, "processes": processes})
        if status != 200:
            raise AssertionError(f"the configuration came to {status}: {answer}")
        self.wait_for_states({id: "running" for id, it in processes.items() if it.get("autostart", True)})

    def processes(self):
        return self.get("/api/processes")["processes"]

    def wait_for_states(self, states):
        """Returns when each of these processes has its state."""
        wait_until(lambda: {id: self.processes()[id]["status"] for id in states} == states)

    def wait_for_api(self):
        """Returns when the kiosk serves."""
        wait_until(lambda: self.api("GET", "/healthz")[0] == 200)


def wait_until(condition, patience=PATIENCE):
    """Returns the first true answer. What cannot be asked yet is asked again."""
    end = time.monotonic() + patience
    while True:
        try:
            answer = condition()
            if answer:
                return answer
            news = f"still {answer!r}"
        except OSError as error:
            news = error
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {news}")
        time.sleep(0.2)
