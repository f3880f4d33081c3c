"""Runs first inside the sandbox: hands out the output directory, sets the limits, becomes the command.

Executed as a file by the sandbox's own Python (standard library only), before anything untrusted runs.
Argument: JSON ``{"command": [...], "limits": {"RLIMIT_…": number}, "output": "/output"}``. Standard input
is a socket; the open output directory goes out through it (SCM_RIGHTS), so that the caller can read what
was written when every process of the sandbox is dead.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys

NOT_FOUND = 127
"""Exit status when the command does not exist, as shells have it."""

READY = b"ready"


def _hand_out(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    with socket.socket(fileno=os.dup(0)) as caller:
        socket.send_fds(caller, [READY], [descriptor])
        caller.recv(1)  # the caller has it and starts its clock
    os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def main() -> None:
    """Never returns: the process becomes the command or exits."""
    order = json.loads(sys.argv[1])
    _hand_out(order["output"])
    for name, value in order["limits"].items():
        limit = getattr(resource, name)
        # one second after SIGXCPU comes SIGKILL; the other limits have no second stage
        hard = value + 1 if limit == resource.RLIMIT_CPU else value
        resource.setrlimit(limit, (value, hard))
    os.umask(0o022)
    command = order["command"]
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is an argument list, no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(NOT_FOUND)


if __name__ == "__main__":
    main()
