"""``python -m indigo_dev postgres|rabbitmq start|stop|status --dir DIR``: private servers from a shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from indigo_dev.postgres import EmbeddedPostgres
from indigo_dev.processes import ServerError
from indigo_dev.rabbitmq import PrivateRabbit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit status 0: done, or it is running; 1: it is not; 2: it cannot be, with the reason."""
    parser = argparse.ArgumentParser(prog="python -m indigo_dev", description="Private servers for development.")
    parser.add_argument("server", choices=["postgres", "rabbitmq"])
    parser.add_argument("action", choices=["start", "stop", "status"])
    parser.add_argument("--dir", type=Path, required=True, help="where the server keeps its data")
    chosen = parser.parse_args(arguments)
    server = EmbeddedPostgres(chosen.dir) if chosen.server == "postgres" else PrivateRabbit(chosen.dir)
    try:
        return _act(server, chosen.action)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 2


def _act(server: EmbeddedPostgres | PrivateRabbit, action: str) -> int:
    if action == "stop":
        stopped = server.stop_detached()
        print("stopped" if stopped else "not running")
        return 0 if stopped else 1
    if action == "start" and server.pid is None:
        server.start()
        server.detach()
    if server.pid is None:
        print("not running")
        return 1
    address = server.server_url if isinstance(server, EmbeddedPostgres) else server.url
    print(f"running, process {server.pid}: {address}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
