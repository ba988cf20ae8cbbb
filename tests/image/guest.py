"""A device to test: a whole aarch64 system in QEMU, an agent inside it, and a client of the kiosk's API.

    python3 -m unittest discover tests/image                 # all of this ring
    python3 -m unittest discover tests/image -k watchdog     # what has this in its name
"""

import atexit
import base64
import functools
import http.client
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

# Longer than anything here takes on a busy machine; only a test that fails waits this long.
PATIENCE = 300

REPOSITORY = pathlib.Path(__file__).parents[2]


@functools.cache
def made(what):
    """What the script of this name makes (`program`, `card`), made on the first call."""
    script = REPOSITORY / "tests/image" / what
    done = subprocess.run([script], stdout=subprocess.PIPE, text=True, check=True, cwd=REPOSITORY)
    return REPOSITORY / done.stdout.splitlines()[-1]


@functools.cache
def shared():
    """The guest of all tests that leave it as it was; it starts with the first of them."""
    guest = Guest()
    atexit.register(guest.cut_power)
    guest.wait_for_api()
    return guest


class Guest:
    """A running guest. Ends, and forgets what was written, when left."""

    def __init__(self, *, disk=None, append=""):
        """`disk`: a disk that keeps what is written (see `new_disk`). `append`: for the kernel's command line."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="ossuary-guest-"))
        self.console = self.directory / "console"
        self.port = free_port()
        self.wire = None
        self.number = 0
        self.received = b""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{self.directory}/agent")
        listener.listen()
        listener.settimeout(PATIENCE)
        parts = made("card")
        drive = f"file={disk},format=qcow2" if disk else f"file={parts / 'card.ext4'},format=raw,snapshot=on"
        self.qemu = subprocess.Popen(
            ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1024"]
            + ["-nodefaults", "-display", "none", "-serial", f"file:{self.console}"]
            + ["-kernel", parts / "linux", "-initrd", parts / "initramfs"]
            # An emulated guest on a busy machine may be starved for longer than a device would be.
            + ["-append", f"console=ttyAMA0 quiet net.ifnames=0 systemd.watchdog_sec=60 {append}"]
            + ["-drive", f"if=virtio,{drive}", "-device", "virtio-rng-pci"]
            + ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-10.0.2.15:8081"]
            + ["-device", "virtio-net-pci,netdev=net,romfile="]
            + ["-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={self.directory}/agent"]
            + ["-device", "virtserialport,chardev=agent,name=agent"]
            + ["-device", "i6300esb", "-action", "watchdog=reset"],
            stdin=subprocess.DEVNULL,
        )
        try:
            with listener:
                self.wire, _ = listener.accept()
            self.wait_for_boot()
        except BaseException:
            self.cut_power()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut_power()

    def cut_power(self):
        """From one instant to the next, nothing runs any more."""
        self.qemu.kill()
        self.qemu.wait()
        if self.wire:
            self.wire.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- the agent ----

    def wait_for_boot(self):
        """Returns when a guest that starts, or starts anew, has come so far that it runs commands."""
        while True:
            word, *rest = self.read_line(PATIENCE).split()
            if word == b"hello":
                self.boot = rest[0].decode()
                return

    def run(self, command, timeout=PATIENCE):
        """Runs a shell command in the guest: its exit code, and what it printed."""
        self.send(command, timeout)
        while True:
            number, code, *output = self.read_line(timeout + PATIENCE).split()
            if number == str(self.number).encode():
                return int(code), base64.b64decode(b"".join(output)).decode(errors="replace")

    def send(self, command, timeout=PATIENCE):
        """The same without waiting: for what the guest does not survive."""
        self.number += 1
        line = f"{self.number} {timeout} {base64.b64encode(command.encode()).decode()}\n"
        self.wire.sendall(line.encode())

    def sh(self, command, timeout=PATIENCE):
        """The same for a command that has to succeed: what it printed."""
        code, output = self.run(command, timeout)
        if code != 0:
            raise AssertionError(f"`{command}` came to {code}:\n{output}")
        return output.strip()

    def read_line(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self.received:
            self.wire.settimeout(max(end - time.monotonic(), 0.001))
            try:
                part = self.wire.recv(65536)
            except TimeoutError:
                self.qemu.kill()  # or whatever is asked of it next would wait as long
                raise AssertionError(f"the guest is silent; its console:\n{self.last_words()}") from None
            if not part:
                raise AssertionError(f"QEMU has ended; the guest's console:\n{self.last_words()}")
            self.received += part
        line, _, self.received = self.received.partition(b"\n")
        return line

    def last_words(self):
        return self.console.read_text(errors="replace")[-4000:]

    # ---- the API ----

    def api(self, method, path, document=None, timeout=PATIENCE):
        """One request: the status code and the document that came. OSError where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
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


def new_disk(directory):
    """A disk for a guest that keeps what is written, as it came from the factory."""
    disk = pathlib.Path(directory) / "disk.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", made("card") / "card.ext4", disk]
    subprocess.run(command, check=True)
    return disk


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
