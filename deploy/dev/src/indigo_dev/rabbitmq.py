"""A RabbitMQ node of our own in a directory, on free ports of 127.0.0.1, as root or as a user, without systemd.

The broker's programs come from the system (Debian's ``rabbitmq-server``); nothing of a node the system runs
is touched: node name, cookie, ports, data, plugins and port mapper (epmd) are private.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

from indigo_dev.processes import (
    Deadline,
    DirectoryLock,
    ServerError,
    end,
    free_port,
    port_is_free,
    signal_all,
    tail,
)

INSTALL_COMMAND = "apt-get install --yes --no-install-recommends rabbitmq-server"

START_SECONDS = 120.0
"""How long a boot may take; five seconds are usual, a loaded two-core machine needs many more."""

STOP_SECONDS = 30.0
CONTROL_SECONDS = 60.0

_MARK = "INDIGO_DEV_RABBITMQ_DIRECTORY"
"""Set in the environment of everything we start, so that it is found again whatever its process id."""

_AMQP_HEADER = b"AMQP\x00\x00\x09\x01"

_CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
log.console = false
log.file.level = warning
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 1GB
"""


def programs() -> Path | None:
    """The directory of RabbitMQ's own scripts, None when it is not installed.

    Debian's commands in ``/usr/sbin`` change the user and drop the environment, so they only point the way.
    """
    for candidate in (shutil.which("rabbitmq-server"), "/usr/lib/rabbitmq/bin/rabbitmq-server"):
        if candidate is None or not Path(candidate).exists():
            continue
        resolved = Path(candidate).resolve()
        if resolved.name != "rabbitmq-script-wrapper":
            return resolved.parent
    return None


def ensure_installed() -> Path:
    """The directory of RabbitMQ's scripts; installs the Debian package when it is missing and we may.

    Raises ``ServerError`` naming the command to run when we may not, or when it fails.
    """
    found = programs()
    if found is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServerError(f"RabbitMQ is not installed. Run: sudo {INSTALL_COMMAND}")
    print(f"RabbitMQ is not installed; running {INSTALL_COMMAND}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ("apt-get update", INSTALL_COMMAND):
        done = subprocess.run(
            command.split(), env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise ServerError(f"{command} failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    found = programs()
    if found is None:
        raise ServerError(f"{INSTALL_COMMAND} ended well, but there is no rabbitmq-server in PATH.")
    return found


@dataclass(frozen=True, slots=True)
class _Ports:
    amqp: int
    distribution: int
    mapper: int


class PrivateRabbit:
    """One RabbitMQ node in ``directory``, which is created and keeps queues and messages between starts.

    Methods block; call the slow ones (start, stop, restart, the queue commands) through ``asyncio.to_thread``
    where an event loop has connections to keep alive.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory.expanduser().resolve()
        self._log = self._directory / "broker.log"
        self._node: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None
        self._lock: DirectoryLock | None = None
        self._owner_pid = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The broker's AMQP URL; the same after a restart unless somebody took the port meanwhile."""
        return f"amqp://guest:guest@127.0.0.1:{self._ports().amqp}/"

    @property
    def pid(self) -> int | None:
        """The broker's process id, None when it is not running."""
        nodes = [process.pid for process in self._processes() if _is_broker(process)]
        return nodes[0] if nodes else None

    def start(self) -> None:
        """Start the node and return when AMQP answers.

        A node left behind by a killed parent is ended first. Raises ``DirectoryBusyError`` when a live process
        owns the directory, ``ServerError`` when RabbitMQ is not installed or does not come up.
        """
        if self._node is not None:
            return
        scripts = ensure_installed()
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = DirectoryLock(self._directory)
        lock.acquire()
        try:
            self._end_all()
            self._configure()
            self._boot(scripts)
        except BaseException:
            self._end_all()
            self._node = self._mapper = None
            lock.release()
            raise
        self._lock = lock
        self._owner_pid = os.getpid()
        atexit.register(self._stop_at_exit)

    def stop(self) -> None:
        """End the node in an orderly way, and its port mapper."""
        if self._lock is None:
            return
        atexit.unregister(self._stop_at_exit)
        self._end_all()
        self._release()

    def detach(self) -> None:
        """Leave the node running when this process ends; ``start`` and ``stop_detached`` find it."""
        atexit.unregister(self._stop_at_exit)
        self._release()

    def stop_detached(self) -> bool:
        """End a node that was left running; False when there is none.

        Raises ``DirectoryBusyError`` when a live process owns it.
        """
        if not self._directory.exists():
            return False
        lock = DirectoryLock(self._directory)
        lock.acquire()
        try:
            running = self.pid is not None
            self._end_all()
        finally:
            lock.release()
        return running

    def restart(self) -> None:
        """Stop the node (or bury a killed one) and start it again on the same ports, with the same queues."""
        scripts = ensure_installed()
        self._end_all()
        self._boot(scripts)

    def kill(self) -> None:
        """SIGKILL the broker: no goodbye to clients, nothing flushed. ``restart`` brings it back.

        RabbitMQ 3.10 registers a new quorum queue on disk a second late; killed before, it knows the queue
        afterwards but never serves it again. ``wait_until_recoverable`` waits for that.
        """
        end(self._processes(), grace=0)

    def wait_until_recoverable(self, queue: str) -> None:
        """Return when the quorum queue would survive ``kill``: its name is in the registry on disk.

        Raises ``ServerError`` after ten seconds.
        """
        deadline = Deadline(10)
        name = f"%2F_{queue}".encode()
        entry = bytes([len(name)]) + name  # an atom of Erlang's external form, not the beginning of one
        while not deadline.passed():
            registries = (self._directory / "mnesia").rglob("names.dets")
            if any(entry in registry.read_bytes() for registry in registries):
                return
            time.sleep(0.05)
        raise ServerError(f"The queue {queue} was not registered on disk within 10 s.")

    def freeze(self) -> None:
        """Stop the broker's clock (SIGSTOP): connections stay open and nobody answers."""
        self._signal_broker(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen broker go on (SIGCONT)."""
        self._signal_broker(signal.SIGCONT)

    def list_queues(self) -> list[str]:
        """The names of all queues. Ask a queue itself (a passive declare) how many messages it has."""
        rows = json.loads(self._control("list_queues", "name", "--formatter", "json", "--silent"))
        return sorted(row["name"] for row in rows)

    def delete_queue(self, name: str) -> None:
        """Delete a queue and what is in it under its consumers. Raises ``ServerError`` when there is none."""
        self._control("delete_queue", name)

    def _signal_broker(self, number: int) -> None:
        pid = self.pid
        if pid is None:
            raise ServerError(f"No RabbitMQ runs in {self._directory}.")
        signal_all([psutil.Process(pid)], number)

    def _control(self, *arguments: str) -> str:
        command = [str(ensure_installed() / "rabbitmqctl"), *arguments]
        done = subprocess.run(
            command,
            env=self._environment(),
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CONTROL_SECONDS,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"rabbitmqctl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout

    def _release(self) -> None:
        self._node = self._mapper = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _stop_at_exit(self) -> None:
        if os.getpid() == self._owner_pid:  # a fork inherits the hook, not the node
            self.stop()

    def _processes(self) -> list[psutil.Process]:
        """Everything that was started for this directory, by whomever."""
        return [
            process
            for process in psutil.process_iter(["environ"])
            if (process.info["environ"] or {}).get(_MARK) == str(self._directory)
        ]

    def _end_all(self) -> None:
        """End the broker first, in an orderly way and thawed, then its helpers and the port mapper."""
        processes = self._processes()
        broker = [process for process in processes if _is_broker(process)]
        signal_all(broker, signal.SIGTERM)
        signal_all(broker, signal.SIGCONT)
        end(broker, grace=STOP_SECONDS)
        end(self._processes(), grace=0)
        for child in (self._node, self._mapper):
            if child is not None:
                child.wait()

    def _ports(self) -> _Ports:
        path = self._directory / "ports.json"
        if not path.exists():
            raise ServerError(f"{self._directory} has no RabbitMQ yet: start it first.")
        return _Ports(**json.loads(path.read_text()))

    def _configure(self) -> None:
        """Write what the node reads, choosing ports the first time and when one was taken since."""
        ports_file = self._directory / "ports.json"
        if not ports_file.exists() or not all(port_is_free(port) for port in asdict(self._ports()).values()):
            first = free_port(3)
            ports_file.write_text(json.dumps(asdict(_Ports(first, first + 1, first + 2))))
        home = self._directory / "home"
        home.mkdir(exist_ok=True)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(secrets.token_hex(20))
            cookie.chmod(0o400)
        (self._directory / "rabbitmq.conf").write_text(_CONFIG.format(amqp=self._ports().amqp))
        (self._directory / "enabled_plugins").write_text("[].\n")  # none: they double the boot time

    def _environment(self) -> dict[str, str]:
        ports = self._ports()
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RABBITMQ_", "ERL_", "NOTIFY_SOCKET"))
        }
        return {
            **inherited,
            _MARK: str(self._directory),
            "HOME": str(self._directory / "home"),
            "RABBITMQ_NODENAME": "indigo@localhost",
            "RABBITMQ_MNESIA_BASE": str(self._directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._directory / "log"),
            "RABBITMQ_CONFIG_FILE": str(self._directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._directory / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(self._directory / "rabbitmq.pid"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",  # the system node's settings are not ours
            "RABBITMQ_DIST_PORT": str(ports.distribution),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(ports.mapper),
            # Makes the start script become the broker instead of waiting for it as a second process.
            "RUNNING_UNDER_SYSTEMD": "true",
            # Schedulers that sleep instead of spinning leave the cores to the tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
            ),
        }

    def _boot(self, scripts: Path) -> None:
        environment = self._environment()
        mapper = shutil.which("epmd")
        if mapper is None:
            raise ServerError("Erlang's epmd is not in PATH: install erlang-base.")
        with self._log.open("ab") as log:
            # Started here, in the foreground, so that it is ours to end; the node would leave a daemon behind.
            self._mapper = self._spawn([mapper], environment, log.fileno())
            self._node = self._spawn([str(scripts / "rabbitmq-server")], environment, log.fileno())
        deadline = Deadline(START_SECONDS)
        while not deadline.passed():
            if self._node.poll() is not None:
                raise ServerError(f"RabbitMQ did not start in {self._directory}:\n{tail(self._log)}")
            if _speaks_amqp(self._ports().amqp):
                return
            time.sleep(0.05)
        raise ServerError(f"RabbitMQ did not answer within {START_SECONDS:.0f} s:\n{tail(self._log)}")

    def _spawn(self, command: list[str], environment: dict[str, str], output: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _is_broker(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("beam")
    except psutil.NoSuchProcess:
        return False


def _speaks_amqp(port: int) -> bool:
    """Whether a broker answers the protocol header with a method frame (Connection.Start)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(_AMQP_HEADER)
            return connection.recv(1) == b"\x01"
    except OSError:
        return False
