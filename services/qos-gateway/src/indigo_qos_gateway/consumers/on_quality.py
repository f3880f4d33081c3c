"""What the gateway said about storage quality is told to the notification queues too."""

from __future__ import annotations

from indigo_contracts.envelope import Envelope
from indigo_contracts.qos import (
    LifetimeExpired,
    TransitionCancelled,
    TransitionCompleted,
    TransitionFailed,
    TransitionRequested,
)

from indigo_qos_gateway.application.notifying import note
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.domain.paths import ROOT

_NAMES = {
    TransitionRequested: "indigo_transition_requested",
    TransitionCompleted: "indigo_transition_completed",
    TransitionFailed: "indigo_transition_failed",
    TransitionCancelled: "indigo_transition_cancelled",
}
AnyTransition = TransitionRequested | TransitionCompleted | TransitionFailed | TransitionCancelled


async def on_transition(work: Work, fact: AnyTransition, envelope: Envelope) -> None:
    """Something became of a change of class."""
    transition = fact.transition
    await note(
        work,
        _NAMES[type(fact)],
        transition.path.rstrip("/") or ROOT,  # those of containers end in a slash
        None,
        at=envelope.time,
        indigo_transition_id=transition.transition_id,
        indigo_source_class=transition.source_class or "",
        indigo_target_class=transition.target_class,
        indigo_error=transition.error or "",
    )


async def on_lifetime_expired(work: Work, fact: LifetimeExpired, envelope: Envelope) -> None:
    """An object's time in its class is over."""
    await note(work, "indigo_lifetime_expired", fact.path, None, at=envelope.time, indigo_action=fact.action)
