"""Queues the gateway fills: with what happens to objects, and with the objects a query finds.

Source: CDMI 1.1.1, clauses 20 (notification queues) and 21 (query queues).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indigo_kernel.problems import BadRequest, Forbidden

from indigo_qos_gateway.domain.scope import check_results, check_scope

TYPE = "cdmi_queue_type"
NOTIFICATION = "cdmi_notification_queue"
QUERY = "cdmi_query_queue"
EVENTS = "cdmi_notification_events"
SCOPE = "cdmi_scope_specification"
RESULTS = "cdmi_results_specification"
_STATUS = {NOTIFICATION: "cdmi_notification_status", QUERY: "cdmi_query_status"}
_SPECIFIED = (EVENTS, SCOPE, RESULTS)

CREATED = "cdmi_create_complete"
MODIFIED = "cdmi_modify_complete"
RENAMED = "cdmi_rename"
COPIED = "cdmi_copy"
REFERENCED = "cdmi_reference"
DELETED = "cdmi_delete"
TRANSITION_EVENTS = (
    "indigo_transition_requested",
    "indigo_transition_completed",
    "indigo_transition_failed",
    "indigo_transition_cancelled",
    "indigo_lifetime_expired",
)
KNOWN_EVENTS = frozenset({CREATED, MODIFIED, RENAMED, COPIED, REFERENCED, DELETED, *TRANSITION_EVENTS})
"""What is told. Reading, exporting and taking snapshots are not."""

PROCESSING = "Processing"
CURRENT = "Current"


def listens(metadata: Mapping[str, Any]) -> bool:
    """Whether a queue with these metadata gets what happens."""
    return metadata.get(TYPE) == NOTIFICATION


def searches(metadata: Mapping[str, Any]) -> bool:
    """Whether a queue with these metadata gets what a query finds."""
    return metadata.get(TYPE) == QUERY


def check_new(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a new queue without what only the gateway says. Raises ``BadRequest``."""
    given = {key: value for key, value in metadata.items() if key not in _STATUS.values()}
    kind = given.get(TYPE)
    if kind not in (None, NOTIFICATION, QUERY):
        raise BadRequest(f"{TYPE} is {NOTIFICATION} or {QUERY}")
    needed = {NOTIFICATION: (EVENTS, SCOPE, RESULTS), QUERY: (SCOPE, RESULTS), None: ()}[kind]
    for name in needed:
        if name not in given:
            raise BadRequest(f"A {kind} has {name}")
    if SCOPE in given:
        check_scope(given[SCOPE])
    if RESULTS in given:
        check_results(given[RESULTS])
    if EVENTS in given:
        _check_events(given[EVENTS])
    return given


def check_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a queue after an update. Raises ``Forbidden`` for another scope, events or results.

    Only that it is filled can be ended, by leaving ``cdmi_queue_type`` out.
    """
    kept = {key: value for key, value in after.items() if key not in _STATUS.values()}
    if before.get(TYPE) is not None:
        changed = [name for name in _SPECIFIED if kept.get(name) != before.get(name)]
        if changed or kept.get(TYPE) not in (None, before[TYPE]):
            raise Forbidden(f"{(changed or [TYPE])[0]} cannot be changed; make another queue")
        return kept
    return check_new(kept)


def shown_status(metadata: Mapping[str, Any], status: str | None, lost: int) -> dict[str, str]:
    """The status of a queue as metadata; empty for one only clients fill."""
    name = _STATUS.get(metadata.get(TYPE, ""))
    if name is None:
        return {}
    if lost:
        return {name: f"Error: the queue was full, {lost} values were lost"}
    return {name: status or CURRENT}


def _check_events(value: Any) -> None:
    names = value if isinstance(value, list) else None
    if names is None or not all(isinstance(each, str) for each in names):
        raise BadRequest(f"{EVENTS} takes a list of names of events; an empty one stands for all")
    unknown = sorted(set(names) - KNOWN_EVENTS)
    if unknown:
        raise BadRequest(f"No such events are told here: {', '.join(unknown)[:200]}")


def wants(metadata: Mapping[str, Any], event: str) -> bool:
    """Whether a notification queue asked for this event."""
    asked = metadata.get(EVENTS) or ()
    return not asked or event in asked
