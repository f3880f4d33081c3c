"""Which paths a back-end takes, and the names it keeps for itself."""

from __future__ import annotations

from indigo_kernel.problems import BadRequest, Conflict

from indigo_qos_gateway.domain.paths import ROOT

HIDDEN = ".indigo"
"""Name below the root that is not part of the tree; names that begin with it and a dot are hidden everywhere."""


def hidden(name: str) -> bool:
    """Whether an entry is no object: the gateway's own note, or a name that would lead elsewhere."""
    return name in {"", ".", "..", HIDDEN} or name.startswith(HIDDEN + ".") or "/" in name or "\0" in name


def checked(path: str) -> str:
    """``path`` when it is normalized and nobody's own. Raises ``BadRequest``."""
    segments = path.split("/")[1:] if path != ROOT else []
    if not path.startswith("/") or any(each in {"", ".", ".."} or "\0" in each for each in segments):
        raise BadRequest(f"{path!r} is not a normalized path")
    if any(hidden(each) for each in segments):
        raise BadRequest(f"Names that begin with {HIDDEN} are used by the storage itself")
    return path


def checked_below_root(path: str) -> str:
    """The same for what is written or removed. Raises ``Conflict`` for the root."""
    if checked(path) == ROOT:
        raise Conflict("The root is a container, and always there")
    return path
