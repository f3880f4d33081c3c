"""What can go wrong with stored objects."""

from __future__ import annotations

from indigo_kernel.problems import BadRequest, Conflict, NotFound, Unavailable


class ObjectNotFound(NotFound):
    """Nothing is stored at the path."""

    def __init__(self, path: str) -> None:
        # KIT's web client looks for these words
        super().__init__(f"Object not found: {path}")


class CapabilitiesNotFound(NotFound):
    def __init__(self, uri: str) -> None:
        super().__init__(f"Capabilities not found: {uri}")


class Offline(Unavailable):
    """The bytes are on tape only. Nothing is recalled by reading: somebody has to ask for another class."""

    def __init__(self, path: str, *, recalling: bool) -> None:
        advice = (
            "it is being recalled"
            if recalling
            else "ask for a class with a disk copy first: PUT with a capabilitiesURI, or POST /api/transitions"
        )
        super().__init__(
            f"{path} is on tape; {advice}",
            headers={"retry-after": "30"} if recalling else None,
            locality="TAPE",
        )


class Busy(Conflict):
    """Somebody else changes the object just now."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is being changed; try again")


class UnknownClass(BadRequest):
    """No back-end offers the class there."""


class StorageDamage(Exception):
    """Bytes in storage are not what they should be. The text says which copy of what."""


class Impossible(Exception):
    """A transition that no further attempt can complete; the text says why."""
