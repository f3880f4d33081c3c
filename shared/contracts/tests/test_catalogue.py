"""The catalogue is whole, and an event read back is the event that was written."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from indigo_contracts.asyncapi import asyncapi
from indigo_contracts.dmp import PlanCreated
from indigo_contracts.envelope import CONTENT_TYPE, TYPE_PREFIX, Envelope, Fact
from indigo_contracts.registry import FACTS, facts_of, model_for

DESIGN = {
    "dmp": "plan.created plan.updated plan.published plan.withdrawn promise.kept promise.broken",
    "repository": "record.reserved record.discarded record.published record.updated record.withdrawn file.corrupted"
    " file.repaired analysis.finished",
    "pid": "identifier.minted identifier.updated identifier.tombstoned doi.registered doi.failed doi.hidden",
    "integrity": "run.requested run.started run.finished fixity.failed certificate.issued certificate.revoked",
    "qos": "transition.requested transition.completed transition.failed transition.cancelled lifetime.expired",
}


@pytest.mark.parametrize("service", DESIGN)
def test_every_fact_of_the_design_has_a_model(service: str) -> None:
    assert {model.fact for model in facts_of(service)} == {
        f"{service}.{fact}.v1" for fact in DESIGN[service].split()
    }


def test_names_lead_to_models_and_back() -> None:
    for name, model in FACTS.items():
        assert model_for(TYPE_PREFIX + name) is model
        assert model.__doc__ and model.__doc__ != Fact.__doc__, f"{name} has no meaning written down"
    assert model_for(TYPE_PREFIX + "dmp.plan.dreamt.v1") is None


def envelope() -> Envelope:
    return Envelope.of(
        PlanCreated(plan_id="p1", version=3),
        id="0199",
        source="https://dmp.example.org",
        subject="plans/p1",
        version=3,
        time=datetime(2026, 11, 22, 7, tzinfo=UTC),
        correlationid="c1",
    )


def test_an_envelope_survives_the_wire() -> None:
    written = envelope()
    read = Envelope.model_validate_json(written.wire())
    assert read == written
    assert (read.fact, read.version) == ("dmp.plan.created.v1", 3)


def test_a_foreign_cloudevents_reader_accepts_the_wire_form() -> None:
    message = HTTPMessage(headers={"content-type": CONTENT_TYPE}, body=envelope().wire())
    event = from_http(message, JSONFormat(), CloudEvent)
    assert event.get_type() == "eu.indigo-datacloud.dmp.plan.created.v1"
    assert event.get_extension("sequence") == "00000000000000000003"
    assert event.get_data() == {"plan_id": "p1", "version": 3}


def test_readers_ignore_what_they_do_not_know() -> None:
    document = json.loads(envelope().wire())
    document["data"]["color"] = "green"
    document["newattribute"] = "x"
    read = Envelope.model_validate(document)
    assert PlanCreated.model_validate(read.data) == PlanCreated(plan_id="p1", version=3)


def test_asyncapi_refers_only_to_what_it_holds() -> None:
    document = asyncapi("suite", "1", sends=FACTS.values(), receives=[PlanCreated])
    text = json.dumps(document)
    for ref in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        node = document
        for step in ref.removeprefix("#/").split("/"):
            node = node[step]
        assert node
    assert len(document["channels"]) == len(FACTS)
