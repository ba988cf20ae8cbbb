"""Other supervisors, each configured for speed as its manual says: no delay before a restart, rare log rotation.

Each gets its own directory, starts in the foreground where it can, and is ended with all its descendants.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess

from .place import Program
from .sides import Side

KEPT = 10_000_000  # bytes of a log before it is rotated


class Peer(Side):
    """A supervisor that is found by its command."""

    command = None
    package = None  # its Debian package, for its size
    note = ""  # its configuration, where that matters to a reader

    def found(self, place):
        return shutil.which(self.command) is not None

    def configure(self, home, commands):
        """Writes its configuration."""
        raise NotImplementedError

    def argv(self, place, home):
        raise NotImplementedError

    def environment(self, place, home):
        return None

    def roots(self, running):
        return [running.pid]

    def begin_stop(self, running):
        running.process.send_signal(signal.SIGTERM)

    def up(self, place, commands):
        home = place.home(self.command)
        self.configure(home, [[shutil.which(command[0]), *map(str, command[1:])] for command in commands])
        return Supervised(self, place, home)


class Supervised(Program):
    """A running peer."""

    def __init__(self, peer, place, home):
        self.peer, self.home = peer, home
        super().__init__(place, peer.argv(place, home), peer.environment(place, home))
        # Its output is not read, and a full pipe must not block it.
        self.process.stdout.close()

    def roots(self):
        return self.peer.roots(self)

    def begin_stop(self):
        self.peer.begin_stop(self)

    @property
    def address(self):
        return f"127.0.0.1:{self.peer.port}"

    credential = None


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Scanned(Peer):
    """What runit, s6 and daemontools have in common: a directory and a supervising process for each service."""

    logger = None  # the command that keeps the output of a child; None discards it

    def __init__(self, logged=False):
        self.captures = logged
        if logged:
            self.name = f"{self.name} with {self.logger.split()[0]}"

    def configure(self, home, commands):
        self.services = []
        for number, command in enumerate(commands):
            service = home / "services" / f"p{number}"
            output = "" if self.captures else " >/dev/null"
            script(service / "run", f"exec {' '.join(command)}{output}")
            self.services.append(service)
            if self.captures:
                script(service / "log/run", f"exec {self.logger} {service}/log/kept")
                (service / "log/kept").mkdir()
                self.prepare(service)

    def prepare(self, service):
        """Sets up what else a service with a log needs."""


class Runit(Scanned):
    name, command, package, logger = "runit", "runsvdir", "runit", "svlogd"

    def prepare(self, service):
        (service / "log/kept/config").write_text(f"s{KEPT}\nn5\n")

    def argv(self, place, home):
        return ["runsvdir", "-P", str(home / "services")]

    def begin_stop(self, running):
        # SIGHUP ends the services as well; SIGTERM would leave them running.
        running.process.send_signal(signal.SIGHUP)


class S6(Scanned):
    name, command, package, logger = "s6", "s6-svscan", "s6", f"s6-log -b n5 s{KEPT}"

    def argv(self, place, home):
        return ["s6-svscan", "-c", "2200", str(home / "services")]


class Daemontools(Scanned):
    name, command, package, logger = "daemontools", "svscan", "daemontools", f"multilog s{KEPT} n5"
    # It scans its directory every five seconds, and supports at most 1,000 services.
    most = 900

    def prepare(self, service):
        service.chmod(0o1755)  # the sticky bit enables the logger

    def argv(self, place, home):
        return ["svscan", str(home / "services")]

    def begin_stop(self, running):
        running.process.send_signal(signal.SIGTERM)
        logs = [service / "log" for service in self.services] if self.captures else []
        subprocess.Popen(["svc", "-dx", *map(str, [*self.services, *logs])], stderr=subprocess.DEVNULL)


class Dinit(Peer):
    name, command, package = "dinit", "dinit", "dinit"
    note = "children write their files themselves"

    def configure(self, home, commands):
        services = home / "services"
        services.mkdir()
        for number, command in enumerate(commands):
            (services / f"p{number}").write_text(
                f"type = process\ncommand = {' '.join(command)}\nrestart = true\nrestart-delay = 0\n"
                "restart-limit-count = 0\nsmooth-recovery = true\n"
            )
        needed = "".join(f"waits-for: p{number}\n" for number in range(len(commands)))
        (services / "boot").write_text(f"type = internal\n{needed}")

    def argv(self, place, home):
        command = ["dinit", "--user", "--quiet", "--services-dir", str(home / "services")]
        return [*command, "--socket-path", str(home / "socket"), "--log-file", str(home / "log")]


class Supervisord(Peer):
    name, command, package, captures = "supervisord", "supervisord", "supervisor", True
    served = "/RPC2"
    post = "<?xml version='1.0'?><methodCall><methodName>supervisor.getAllProcessInfo</methodName></methodCall>"
    note = "startsecs=0"

    def configure(self, home, commands):
        self.port = free_port()
        text = (
            f"[supervisord]\nnodaemon=true\nlogfile={home}/log\npidfile={home}/pid\nchildlogdir={home}\nminfds=10000\n"
            f"[inet_http_server]\nport=127.0.0.1:{self.port}\n[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        )
        for number, command in enumerate(commands):
            text += (
                f"[program:p{number}]\ncommand={' '.join(command)}\nautorestart=true\nstartsecs=0\nstartretries=100000\n"
                f"redirect_stderr=true\nstdout_logfile={home}/p{number}.log\nstdout_logfile_maxbytes={KEPT}\n"
            )
        (home / "config").write_text(text)

    def argv(self, place, home):
        program = shutil.which(self.command)
        python = place.built / "python/bin/python3"
        return [str(python), program, "-c", str(home / "config")] if python.exists() else [program, "-c", str(home / "config")]

    def environment(self, place, home):
        library = pathlib.Path(shutil.which(self.command)).parents[1] / "lib/python3/dist-packages"
        return {**os.environ, "PYTHONPATH": str(library)}


class Monit(Peer):
    name, command, package = "monit", "monit", "monit"
    served = "/_status?format=xml"
    note = "polls once a second, its shortest interval"

    def configure(self, home, commands):
        self.port = free_port()
        text = (
            f"set daemon 1\nset log {home}/log\nset pidfile {home}/pid\nset idfile {home}/id\nset statefile {home}/state\n"
            f"set httpd port {self.port} and use address 127.0.0.1\n  allow 127.0.0.1\n"
        )
        for number, command in enumerate(commands):
            pid = home / f"p{number}.pid"
            start, stop = home / f"p{number}.start", home / f"p{number}.stop"
            script(start, f"{' '.join(command)} >/dev/null 2>&1 &\necho $! >{pid}")
            script(stop, f"kill $(cat {pid})")
            text += f'check process p{number} with pidfile {pid}\n  start program = "{start}"\n  stop program = "{stop}"\n'
        config = home / "config"
        config.write_text(text)
        config.chmod(0o600)

    def argv(self, place, home):
        # Its children are reparented to init, which the benchmark is not.
        return [str(place.built / "adopt"), "monit", "-I", "-c", str(home / "config")]

    def begin_stop(self, running):
        command = ["monit", "-c", str(running.home / "config"), "stop", "all"]
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Systemd(Peer):
    """A user manager, in a mount namespace with its own control groups, which only root can create."""

    name, command, package = "systemd (user manager)", "systemctl", "systemd"
    program = "/lib/systemd/systemd"

    def found(self, place):
        if os.geteuid() != 0 or not os.path.exists(self.program):
            return False
        tried = subprocess.run(["unshare", "--mount", "--propagation", "private", "mount", "-t", "cgroup2", "none", "/mnt"], capture_output=True)
        return tried.returncode == 0

    def configure(self, home, commands):
        units = home / "units"
        units.mkdir()
        for number, command in enumerate(commands):
            (units / f"p{number}.service").write_text(
                "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n"
                f"[Service]\nExecStart={' '.join(command)}\nRestart=always\nRestartSec=0\n"
                "StandardOutput=null\nStandardError=null\n"
            )
        wanted = "".join(f"Wants=p{number}.service\n" for number in range(len(commands)))
        (units / "all.target").write_text(f"[Unit]\nDefaultDependencies=no\n{wanted}")

    def argv(self, place, home):
        # The temporary directory must stay visible: it may be in /run, but not in /sys.
        alone = (
            "umount -l /sys/fs/cgroup/* 2>/dev/null; umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && "
            "mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/user && "
            f"XDG_RUNTIME_DIR=/run/user SYSTEMD_UNIT_PATH={home}/units: exec {self.program} --user --unit=all.target "
            "--log-target=console --log-level=warning"
        )
        return ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", alone]

    def begin_stop(self, running):
        command = ["nsenter", "-t", str(running.pid), "-m", "env", "XDG_RUNTIME_DIR=/run/user"]
        command += ["systemctl", "--user", "--no-block", "stop", "p*.service"]
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Circus(Peer):
    name, command, captures = "circus", "circusd", True
    note = "check_delay=0.1; 5 is its default"
    most = 100  # with a thousand it takes minutes

    def found(self, place):
        return (place.built / "python/bin/circusd").exists()

    def configure(self, home, commands):
        self.ports = [free_port(), free_port()]
        text = (
            f"[circus]\ncheck_delay=0.1\nwarmup_delay=0\nstatsd=False\nendpoint=tcp://127.0.0.1:{self.ports[0]}\n"
            f"pubsub_endpoint=tcp://127.0.0.1:{self.ports[1]}\n"
        )
        for number, command in enumerate(commands):
            text += (
                f"[watcher:p{number}]\ncmd={' '.join(command)}\nnumprocesses=1\nwarmup_delay=0\ncopy_env=True\n"
                f"stdout_stream.class=FileStream\nstdout_stream.filename={home}/p{number}.log\n"
                f"stdout_stream.max_bytes={KEPT}\nstdout_stream.backup_count=5\n"
            )
        (home / "config").write_text(text)

    def argv(self, place, home):
        return [str(place.built / "python/bin/python3"), str(place.built / "python/bin/circusd"), str(home / "config")]


class Pm2(Peer):
    name, command, captures = "pm2", "pm2", True
    most = 100  # with a thousand it takes minutes

    def _program(self, place):
        return place.built / "node/node_modules/pm2/bin/pm2"

    def found(self, place):
        return self._program(place).exists() and shutil.which("node") is not None

    def configure(self, home, commands):
        apps = [
            {
                "name": f"p{number}", "script": command[0], "args": command[1:], "interpreter": "none",
                "exec_mode": "fork", "restart_delay": 0, "max_restarts": 1_000_000, "min_uptime": 0,
                "out_file": f"{home}/p{number}.log", "error_file": f"{home}/p{number}.err",
                "vizion": False, "pmx": False,
            }
            for number, command in enumerate(commands)
        ]
        (home / "all.config.js").write_text(f"module.exports = {json.dumps({'apps': apps})}")

    def argv(self, place, home):
        return ["node", str(self._program(place)), "start", str(home / "all.config.js"), "--silent"]

    def environment(self, place, home):
        return {**os.environ, "HOME": str(home), "PM2_HOME": str(home / "pm2")}

    def roots(self, running):
        # The command that starts it ends; its daemon writes a PID file.
        try:
            return [int((running.home / "pm2/pm2.pid").read_text())]
        except (OSError, ValueError):
            return [running.pid]

    def begin_stop(self, running):
        place, home = running.place, running.home
        command = ["node", str(self._program(place)), "kill", "--silent"]
        subprocess.Popen(command, env=self.environment(place, home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Horust(Peer):
    name, command, captures = "horust", "horust", True

    def configure(self, home, commands):
        (home / "services").mkdir()
        (home / "sockets").mkdir()
        for number, command in enumerate(commands):
            (home / "services" / f"p{number}.toml").write_text(
                f'command = "{" ".join(command)}"\nstdout = "{home}/p{number}.log"\nstdout-rotate-size = "10 MB"\n'
                '[restart]\nstrategy = "always"\nbackoff = "0s"\nattempts = 100000\n'
                '[failure]\nstrategy = "ignore"\n'
            )

    def argv(self, place, home):
        command = ["horust", "--config-path", str(home / "none"), "--services-path", str(home / "services")]
        return [*command, "--uds-folder-path", str(home / "sockets")]


ALL = [
    Runit(), Runit(logged=True), S6(), S6(logged=True), Daemontools(), Daemontools(logged=True), Dinit(),
    Systemd(), Monit(), Horust(), Supervisord(), Circus(), Pm2(),
]
