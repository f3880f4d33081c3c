"""The read-only root of the sandbox: which directories of this machine a command may see, and where."""

from __future__ import annotations

import sys
from pathlib import Path

_PYTHON = "/opt/python"
_SYSTEM = "/usr"
_LINKED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
_CONFIGURATION = ("/etc/alternatives", "/etc/ld.so.cache")

Mounts = list[tuple[Path, str]]
"""(path on this machine, path in the sandbox), all read-only."""


def system_mounts() -> Mounts:
    """Programs and libraries, without the machine's configuration, accounts and home directories."""
    mounts = [(Path(_SYSTEM), _SYSTEM)]
    mounts += [(Path(name), name) for name in _LINKED if Path(name).is_dir() and not Path(name).is_symlink()]
    mounts += [(Path(name), name) for name in _CONFIGURATION if Path(name).exists()]
    prefix, inside = _python_home()
    if inside == _PYTHON:
        mounts.append((prefix, _PYTHON))
    return mounts


def system_links() -> list[tuple[str, str]]:
    """(target, link) of the top-level directories that are links into ``/usr``."""
    return [(str(Path(name).readlink()), name) for name in _LINKED if Path(name).is_symlink()]


def _python_home() -> tuple[Path, str]:
    prefix = Path(sys.base_prefix).resolve()
    return prefix, str(prefix) if prefix.is_relative_to(_SYSTEM) else _PYTHON


def python() -> str:
    """The running Python's executable as it is named inside the sandbox."""
    return f"{_python_home()[1]}/bin/python{sys.version_info.major}.{sys.version_info.minor}"


def environment() -> dict[str, str]:
    """The whole environment of a command: what makes runs repeatable, nothing of the service's own."""
    home = _python_home()[1]
    return {
        "PATH": ":".join(dict.fromkeys([f"{home}/bin", "/usr/local/bin", "/usr/bin", "/bin"])),
        "LD_LIBRARY_PATH": f"{home}/lib",  # a relocated Python finds its own shared library
        "HOME": "/tmp",  # noqa: S108 - inside the sandbox
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SOURCE_DATE_EPOCH": "315532800",  # 1980-01-01, the first instant a zip file can hold
        "OMP_NUM_THREADS": "1",
    }
