"""Queues the gateway fills: with what happens, and with what a query finds."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from indigo_contracts.envelope import Envelope
from indigo_kernel.problems import Unavailable
from indigo_qos_gateway.adapters.posix.backend import PosixBackend

STRICT = {"x-cdmi-specification-version": "1.1.1"}
EVERYTHING = {
    "cdmi_queue_type": "cdmi_notification_queue",
    "cdmi_notification_events": [],
    "cdmi_scope_specification": [],
    "cdmi_results_specification": {"cdmi_event": "", "parentURI": "", "objectName": ""},
}
QUERY = {
    "cdmi_queue_type": "cdmi_query_queue",
    "cdmi_scope_specification": [],
    "cdmi_results_specification": {"parentURI": "", "objectName": ""},
}


async def make(qos, path, metadata, who=None):
    headers = (who or qos.auth()) | STRICT | {"content-type": "application/cdmi-queue"}
    return await qos.http.put(path, content=json.dumps({"metadata": metadata}), headers=headers)


async def told(qos, path="/inbox"):
    """Every value of a queue."""
    answer = await qos.http.get(f"{path}?values:1000", headers=qos.auth())
    assert answer.status_code == 200, answer.text
    return [json.loads(value) for value in answer.json().get("value", [])]


async def status(qos, path="/inbox"):
    return (await qos.http.get(f"{path}?metadata", headers=qos.auth())).json()["metadata"]


async def test_what_happens_to_objects_is_told(qos):
    assert (await make(qos, "/inbox", EVERYTHING)).status_code == 201
    await qos.store("/box/f", b"1")
    await qos.store("/box/f", b"2")
    headers = qos.auth() | {"content-type": "application/cdmi-object"}
    assert (await qos.http.put("/box/g", content='{"move": "/box/f"}', headers=headers)).status_code == 201
    reference = json.dumps({"reference": "http://example.org/"})
    assert (await qos.http.put("/box/r", content=reference, headers=headers)).status_code == 201
    assert (await qos.http.delete("/box/g", headers=qos.auth())).status_code == 204
    assert await told(qos) == [], "nothing is put into a queue while somebody writes"
    await qos.work_off()
    found = [(each["cdmi_event"], each.get("parentURI"), each.get("objectName")) for each in await told(qos)]
    assert sorted(found, key=str) == sorted(
        [
            ("cdmi_create_complete", "/", "inbox"),
            ("cdmi_create_complete", "/box/", "f"),
            ("cdmi_modify_complete", "/box/", "f"),
            ("cdmi_create_complete", "/box/", "g"),
            ("cdmi_rename", None, None),
            ("cdmi_reference", "/box/", "r"),
            ("cdmi_delete", "/box/", "g"),
        ],
        key=str,
    )
    assert (await status(qos))["cdmi_notification_status"] == "Current"


async def test_only_what_was_asked_for_is_told(qos):
    chosen = EVERYTHING | {
        "cdmi_notification_events": ["cdmi_create_complete"],
        "cdmi_scope_specification": [{"parentURI": "starts /box/", "metadata": {"cdmi_size": "#> 2"}}],
        "cdmi_results_specification": {
            "objectName": "",
            "cdmi_event_user": "",
            "cdmi_event_time": "",
            "cdmi_event_result": "",
            "metadata": {"cdmi_size": ""},
        },
    }
    assert (await make(qos, "/inbox", chosen)).status_code == 201
    for path, data in (("/box/small", b"1"), ("/box/big", b"12345"), ("/elsewhere/big", b"12345")):
        await qos.store(path, data)
    await qos.store("/box/big", b"123456")
    await qos.work_off()
    assert await told(qos) == [
        {
            "objectName": "big",
            "cdmi_event_user": "https://issuer.example.org ana",
            "cdmi_event_time": "2026-01-01T00:00:00.000000Z",
            "cdmi_event_result": "OK",
            "metadata": {"cdmi_size": "5"},
        }
    ]


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [("/box/f", "dataobject", "f"), ("/box/", "container", "box/"), ("/", "container", "/")],
)
async def test_transitions_are_told(qos, path, kind, name):
    events = EVERYTHING | {
        "cdmi_notification_events": ["indigo_transition_completed"],
        "cdmi_results_specification": {
            "cdmi_event": "",
            "objectName": "",
            "indigo_target_class": "",
            "capabilitiesURI": "",
        },
    }
    assert (await make(qos, "/inbox", events)).status_code == 201
    await qos.store("/box/f", b"x")
    await qos.bring(path, "TapeOnly", kind)
    for row in await qos.rows("SELECT body FROM outbox ORDER BY id"):
        envelope = Envelope.model_validate_json(row.body)
        for _ in range(2):  # a delivery may come twice
            await qos.runtime.subscriptions[1].handler(envelope)
    await qos.work_off()
    assert await told(qos) == [
        {
            "cdmi_event": "indigo_transition_completed",
            "objectName": name,
            "indigo_target_class": "TapeOnly",
            "capabilitiesURI": f"/cdmi_capabilities/{kind}/TapeOnly/",
        }
    ]


async def test_a_full_queue_loses_and_says_so(start_qos):
    async with start_qos(queue_values=2) as qos:
        await make(qos, "/inbox", EVERYTHING | {"cdmi_notification_events": ["cdmi_delete"]})
        for number in range(3):
            await qos.store(f"/f{number}", b"x")
            assert (await qos.http.delete(f"/f{number}", headers=qos.auth())).status_code == 204
        await qos.work_off()
        assert len(await told(qos)) == 2
        assert (await status(qos))["cdmi_notification_status"] == "Error: the queue was full, 1 values were lost"


async def statements(qos, path):
    """How many statements storing an object takes."""
    seen = []

    def count(*_):
        seen.append(1)

    engine = qos.runtime.database.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", count)
    await qos.store(path, b"x")
    sa.event.remove(engine, "before_cursor_execute", count)
    return len(seen)


async def test_a_write_costs_the_same_however_many_listen(qos):
    await qos.store("/box/0", b"x")
    alone = await statements(qos, "/box/1")
    await make(qos, "/inbox", EVERYTHING)
    one = await statements(qos, "/box/2")
    for number in range(20):
        await make(qos, f"/inbox{number}", EVERYTHING)
    assert await statements(qos, "/box/3") == one
    assert one <= alone + 2, "the event, and the word to its worker"


async def test_nothing_is_noted_when_nobody_listens(qos):
    await qos.store("/f", b"x")
    assert await qos.rows("SELECT 1 FROM jobs WHERE kind = 'notifications'") == []


async def test_what_it_was_made_with_stays_and_it_can_be_ended(qos):
    await make(qos, "/inbox", EVERYTHING)
    put = await make(qos, "/inbox", EVERYTHING | {"cdmi_notification_events": ["cdmi_delete"]})
    assert put.status_code == 403
    assert (await make(qos, "/inbox", EVERYTHING | {"cdmi_queue_type": "cdmi_query_queue"})).status_code == 403
    ended = {key: value for key, value in EVERYTHING.items() if key != "cdmi_queue_type"}
    assert (await make(qos, "/inbox", ended)).status_code == 204
    await qos.work_off()
    before = await told(qos)
    await qos.store("/f", b"x")
    await qos.work_off()
    assert await told(qos) == before
    assert "cdmi_notification_status" not in await status(qos)


@pytest.mark.parametrize(
    "changes",
    [
        {"cdmi_queue_type": "other"},
        {"cdmi_notification_events": "cdmi_delete"},
        {"cdmi_notification_events": ["cdmi_read"]},
        {"cdmi_scope_specification": {}},
        {"cdmi_scope_specification": [{"objectName": "like f"}]},
        {"cdmi_scope_specification": [{"objectName": "=~ (a+)+$"}]},
        {"cdmi_scope_specification": [{"value": "contains x"}]},
        {"cdmi_scope_specification": [{"objectName": ["== f"] * 101}]},
        {"cdmi_results_specification": []},
        {"cdmi_results_specification": {"objectName": "yes"}},
        {"cdmi_results_specification": {"value": ""}},
        {"cdmi_results_specification": None},
    ],
)
async def test_queues_that_could_not_be_filled_as_they_say(qos, changes):
    metadata = {key: value for key, value in (EVERYTHING | changes).items() if value is not None}
    assert (await make(qos, "/inbox", metadata)).status_code == 400
    assert (await qos.http.get("/inbox")).status_code == 404


async def fill(qos):
    for path in ("/b/2", "/b/1", "/a", "/b/c/3", "/d/4"):
        await qos.store(path, b"x" * len(path))


ALL = [
    ("", "/"),
    ("/", "a"),
    ("/", "b/"),
    ("/b/", "1"),
    ("/b/", "2"),
    ("/b/", "c/"),
    ("/b/c/", "3"),
    ("/", "d/"),
    ("/d/", "4"),
]


async def test_a_query_finds_what_is_there(qos):
    await fill(qos)
    assert (await make(qos, "/found", QUERY)).json()["metadata"]["cdmi_query_status"] == "Processing"
    size = {"metadata": {"cdmi_size": ["#>= 4", "#< 6"]}}
    name = {"objectName": "== a", "objectType": "contains object"}
    await make(qos, "/some", QUERY | {"cdmi_scope_specification": [size, name]})
    await qos.work_off()
    assert [(each["parentURI"], each["objectName"]) for each in await told(qos, "/found")] == ALL
    assert (await status(qos, "/found"))["cdmi_query_status"] == "Current"
    assert [each["objectName"] for each in await told(qos, "/some")] == ["a", "1", "2", "4"]


async def test_a_query_waits_for_room_and_goes_on_where_it_was(start_qos):
    """It stops behind every value here, as a worker that is killed does, and begins again from its note."""
    async with start_qos(queue_values=1) as qos:
        await fill(qos)
        await make(qos, "/found", QUERY)
        seen = []
        for _ in range(len(ALL) + 1):
            await qos.work_off()
            seen += [(each["parentURI"], each["objectName"]) for each in await told(qos, "/found")]
            await qos.http.delete("/found?value", headers=qos.auth())
            qos.clock.advance(timedelta(minutes=1))
        assert seen == ALL
        assert (await status(qos, "/found"))["cdmi_query_status"] == "Current"


async def test_a_storage_that_does_not_answer_is_waited_for(start_qos, monkeypatch):
    async with start_qos(transition_attempts=1) as qos:
        failures = EVERYTHING | {"cdmi_notification_events": ["indigo_transition_failed"]}
        assert (await make(qos, "/inbox", failures)).status_code == 201
        await qos.store("/f", b"1")
        await qos.work_off()
        assert (await make(qos, "/found", QUERY)).status_code == 201
        await qos.change("/f", "/cdmi_capabilities/dataobject/TapeOnly")

        async def down(*_):
            raise Unavailable("the storage does not answer")

        with monkeypatch.context() as patched:
            patched.setattr(PosixBackend, "status", down)
            patched.setattr(PosixBackend, "statuses", down)
            await qos.work_off()
            for row in await qos.rows("SELECT body FROM outbox ORDER BY id"):
                await qos.runtime.subscriptions[1].handler(Envelope.model_validate_json(row.body))
            for _ in range(20):
                qos.clock.advance(timedelta(minutes=10))
                await qos.work_off()
        qos.clock.advance(timedelta(minutes=10))
        await qos.work_off()
        assert [each["cdmi_event"] for each in await told(qos)] == ["indigo_transition_failed"]
        assert (await status(qos, "/found"))["cdmi_query_status"] == "Current"
