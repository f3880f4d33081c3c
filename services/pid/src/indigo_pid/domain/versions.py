"""Which of the versions of one thing counts as the newest."""

from __future__ import annotations

from collections.abc import Sequence

from indigo_contracts.pid import IdentifierState

from indigo_pid.domain.identifier import Identifier


def newest_of(public: Sequence[Identifier]) -> Identifier:
    """The newest of versions that are public or were.

    One that is withdrawn counts when no other is left: its tombstone is where their concept leads then.
    """
    return max(public, key=lambda one: (one.state is IdentifierState.ACTIVE, _edition(one), one.created_at))


def is_public(identifier: Identifier) -> bool:
    """Whether it resolves, or did."""
    return identifier.state is not IdentifierState.RESERVED


def _edition(identifier: Identifier) -> int:
    return identifier.record.edition if identifier.record else 0
