"""Metadata clients give to objects, and how an update changes them.

Source: CDMI 1.1.1, clauses 8.4.6 and 16.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OURS = frozenset(
    {
        "cdmi_size",
        "cdmi_ctime",
        "cdmi_atime",
        "cdmi_mtime",
        "cdmi_acount",
        "cdmi_mcount",
        "cdmi_hash",
        "cdmi_owner",
        "cdmi_capabilities_target",
        "cdmi_recommended_polling_interval",
        "cdmi_capability_association_time",
    }
)


def writable(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """``metadata`` without what only the gateway states; writing that is ignored, as the standard asks."""
    return {key: value for key, value in metadata.items() if key not in _OURS and not key.endswith("_provided")}


def updated(before: Mapping[str, Any], given: Mapping[str, Any], named: tuple[str, ...] | None) -> dict[str, Any]:
    """The metadata after an update.

    Without ``named`` the given ones replace all; with it, those named are set when given and removed when not,
    and everything else stays.
    """
    if named is None:
        return writable(given)
    kept = {key: value for key, value in before.items() if key not in named}
    return kept | writable({key: value for key, value in given.items() if key in named and value is not None})


def selected(metadata: Mapping[str, Any], beginnings: tuple[str, ...] | None) -> dict[str, Any]:
    """The metadata whose names begin with one of ``beginnings``; all for ``None``."""
    if beginnings is None:
        return dict(metadata)
    return {key: value for key, value in metadata.items() if key.startswith(beginnings)}
