"""Domains: to whom objects belong, and who may give objects to them.

A domain has no passwords and no users of its own. Its members are groups as the trusted issuers tell them; the
issuers are shown as the delegations they are.

Source: CDMI 1.1.1, clause 10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from indigo_kernel.problems import BadRequest

from indigo_qos_gateway.domain.paths import below, parse_text

DOMAINS = "/cdmi_domains"
"""The domain of everything nobody gave to another one."""

MEMBERS = "cdmi_domain_members"
SUMMARY = "cdmi_domain_summary"

_ENABLED = "cdmi_domain_enabled"
_REASSIGN = "cdmi_domain_delete_reassign"
_OURS = frozenset({"cdmi_authentication_methods"})


@dataclass(frozen=True, slots=True)
class Domain:
    """One domain. ``members`` are the names of its member objects with the group each stands for."""

    object_id: str
    path: str
    created_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Totals:
    """What belongs to a domain; ``hours`` are those its objects have been there, added up."""

    objects: int
    containers: int
    queues: int
    hours: float


def domain_path(uri: str) -> str:
    """The path of a domain's URI. Raises ``BadRequest`` for one that is not below ``/cdmi_domains/``."""
    path = parse_text(uri)
    if not below(path, DOMAINS) or {MEMBERS, SUMMARY} & set(path.split("/")):
        raise BadRequest("A domain is below /cdmi_domains/")
    return path


def check_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a client may say of a domain. Raises ``BadRequest`` for what could not be kept.

    Who may do what is decided by scopes and groups of the issuers' tokens, so a domain cannot be switched off.
    """
    enabled = metadata.get(_ENABLED, "true")
    if enabled not in ("true", True):
        raise BadRequest("A domain cannot be disabled here: the issuers decide who may come in")
    if _REASSIGN in metadata:
        reassigned_to(metadata)
    return {key: value for key, value in metadata.items() if key not in _OURS} | {_ENABLED: "true"}


def reassigned_to(metadata: Mapping[str, Any]) -> str | None:
    """The domain that gets the objects when this one is deleted. Raises ``BadRequest``."""
    value = metadata.get(_REASSIGN)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRequest(f"{_REASSIGN} takes the URI of a domain")
    return domain_path(value)


def member_group(metadata: Mapping[str, Any]) -> str:
    """The group a member object stands for. Raises ``BadRequest`` for users and their passwords."""
    kind, name = metadata.get("cdmi_member_type"), metadata.get("cdmi_member_name")
    if kind != "group":
        raise BadRequest(
            "A member is a group of the trusted issuers (cdmi_member_type group);"
            " users and their credentials are the issuers' own"
        )
    if not isinstance(name, str) or not 0 < len(name) <= 256:
        raise BadRequest("cdmi_member_name is the name of the group")
    if metadata.get("cdmi_member_enabled", "true") not in ("true", True):
        raise BadRequest("A member that is not enabled is removed instead")
    return name
