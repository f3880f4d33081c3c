"""Small readings of an ASGI scope that more than one middleware needs."""

from __future__ import annotations

from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str | None:
    """The first value of the header ``name`` (lower case), as Latin-1 text; ``None`` when it is absent."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


def route_path(scope: Scope) -> str:
    """The path inside the application: without the prefix under which a front door mounts it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    inside = path.removeprefix(root) if root else path
    # "/dmpx" is not inside "/dmp"
    return inside if inside.startswith("/") or not inside else path
