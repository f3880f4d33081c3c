"""Timers that really migrate and delete; rules, wishes and policies that choose; holds that keep."""

import asyncio
import json
from datetime import timedelta

import pytest
from indigo_qos_gateway.application import lifetimes

URI = "/cdmi_capabilities/dataobject/"
WISH = {"cdmi_capability_lifetime": "PT1H", "cdmi_capability_lifetime_action": "delete"}


async def put(qos, path, data="x", *, scopes=(), **metadata):
    body = {"metadata": metadata} | ({"value": data} if data is not None else {})
    return await qos.http.put(
        path,
        content=json.dumps(body),
        headers=qos.auth("qos:change", *scopes) | {"content-type": "application/cdmi-object"},
    )


async def at(qos, path):
    await qos.work_off()
    answer = await qos.http.get(path)
    return answer.json()["capabilitiesURI"].removeprefix(URI) if answer.status_code == 200 else None


async def expired(qos):
    rows = await qos.rows("SELECT body FROM outbox WHERE fact = 'qos.lifetime.expired.v1' ORDER BY id")
    return [
        (data["path"], data["storage_class"], data["action"])
        for data in (json.loads(row.body)["data"] for row in rows)
    ]


def rules(tmp_path, text):
    file = tmp_path / "rules.toml"
    file.write_text(text)
    return file


async def test_an_object_goes_where_its_lifetime_says(qos):
    wish = {"cdmi_capability_lifetime": "P1M", "cdmi_capability_lifetime_action": f"migrate-to:{URI}TapeOnly"}
    assert (await put(qos, "/f", **wish)).status_code == 201
    assert (await put(qos, "/g", **wish)).status_code == 201
    assert (await put(qos, "/h")).status_code == 201
    qos.clock.advance(timedelta(days=30))
    assert [await at(qos, path) for path in ("/f", "/g", "/h")] == ["DiskOnly"] * 3
    await qos.bring("/g", "DiskAndTape")  # its time begins again
    qos.clock.advance(timedelta(days=1))
    assert [await at(qos, path) for path in ("/f", "/g", "/h")] == ["TapeOnly", "DiskAndTape", "DiskOnly"]
    assert await expired(qos) == [("/f", "DiskOnly", f"migrate-to:{URI}TapeOnly")]
    qos.clock.advance(timedelta(days=28))
    assert await at(qos, "/g") == "TapeOnly"
    qos.clock.advance(timedelta(days=400))
    assert await at(qos, "/f") == "TapeOnly"  # nothing more to do there
    assert len(await expired(qos)) == 2


async def test_an_object_is_deleted_when_its_time_is_over(qos):
    wish = {"cdmi_capability_lifetime": "PT1H", "cdmi_capability_lifetime_action": "delete"}
    await put(qos, "/f", **wish)
    await put(qos, "/held", cdmi_hold_id=["case 7"], **wish)
    qos.clock.advance(timedelta(hours=2))
    assert await at(qos, "/f") is None
    assert await at(qos, "/held") == "DiskOnly"
    assert await expired(qos) == [("/f", "DiskOnly", "delete")]
    released = await put(qos, "/held", None, scopes=["operator"], **wish)
    assert released.status_code == 204
    qos.clock.advance(timedelta(days=2))
    assert await at(qos, "/held") is None
    assert await qos.rows("SELECT * FROM timers") == []
    assert await qos.rows("SELECT * FROM jobs") == []


async def test_what_died_between_deleting_and_telling_is_told(qos):
    await put(qos, "/f", cdmi_capability_lifetime="PT1H", cdmi_capability_lifetime_action="delete")
    (qos.directory / "disk/f").unlink()
    qos.clock.advance(timedelta(hours=2))
    await qos.work_off()
    assert await expired(qos) == [("/f", "DiskOnly", "delete")]


async def test_a_class_has_a_lifetime_and_says_so(start_qos, tmp_path):
    file = rules(tmp_path, f'[lifetime.DiskOnly]\nduration = "P1Y"\naction = "migrate-to:{URI}DiskAndTape"')
    async with start_qos(rules_file=file) as qos:
        told = (await qos.http.get(URI + "DiskOnly")).json()["metadata"]
        assert told["cdmi_capability_lifetime"] == "P1Y"
        await qos.store("/f", b"x")
        metadata = (await qos.cdmi("/f"))["metadata"]
        assert metadata["cdmi_capability_lifetime_provided"] == "P1Y"
        assert metadata["cdmi_capability_lifetime_action_provided"] == f"migrate-to:{URI}DiskAndTape"
        qos.clock.advance(timedelta(days=365))
        assert await at(qos, "/f") == "DiskAndTape"


async def test_containers_hand_their_wishes_down(qos):
    headers = qos.auth() | {"content-type": "application/cdmi-container"}
    body = {"metadata": {"cdmi_data_redundancy": "2"}}
    assert (await qos.http.put("/box/", content=json.dumps(body), headers=headers)).status_code == 201
    await put(qos, "/box/f")
    await put(qos, "/box/g", cdmi_data_redundancy="1", cdmi_latency="100")
    assert await at(qos, "/box/f") == "DiskAndTape"
    assert await at(qos, "/box/g") == "DiskOnly"
    assert (await qos.cdmi("/box/f"))["metadata"]["cdmi_data_redundancy_provided"] == "2"


async def test_new_wishes_move_what_is_there(qos):
    await put(qos, "/f")
    assert (await put(qos, "/f", None, indigo_qos_expression="redundancy>=2")).status_code == 204
    assert await at(qos, "/f") == "DiskAndTape"


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ({"cdmi_geographic_placement": ["Spain"]}, 400),
        ({"cdmi_geographic_placement": ["PT"]}, 403),
        ({"cdmi_latency": "soon"}, 400),
        ({"indigo_qos_expression": "country"}, 400),
        ({"indigo_qos_expression": "country=PL"}, 400),
        ({"indigo_qos_policy": "none"}, 400),
        ({"cdmi_capability_lifetime": "P1Y"}, 400),
        ({"cdmi_capability_lifetime": "P1Y", "cdmi_capability_lifetime_action": f"migrate-to:{URI}Gold"}, 400),
        ({"cdmi_retention_period": "for ever"}, 400),
        ({"cdmi_retention_period": ["2026-01-01/2027-01-01"]}, 400),
        ({"cdmi_retention_period": {}}, 400),
        ({"cdmi_hold_id": 7}, 400),
    ],
)
async def test_wishes_nobody_can_fulfil(qos, metadata, status):
    answer = await put(qos, "/f", **metadata)
    assert answer.status_code == status, answer.text
    assert (await qos.http.get("/f")).status_code == 404


OPERATOR = """
[storage.posix]
network = "geant"
[storage.posix.classes.DiskOnly]
price = 20
[storage.posix.classes.DiskAndTape]
price = 22
[storage.posix.classes.TapeOnly]
price = 2
[policy.cold]
states = [
  { class = "DiskAndTape", duration = "P10D" },
  { class = "TapeOnly" },
]
[[rule]]
name = "archive"
path = "/archive"
network = "geant"
policy = "cold"
[[rule]]
name = "big"
min_size = 1000
class = "DiskAndTape"
[[rule]]
name = "old"
min_age = "P1Y"
where = "type=tape"
"""


async def test_the_operators_rules_choose_and_follow_the_age(start_qos, tmp_path):
    async with start_qos(rules_file=rules(tmp_path, OPERATOR)) as qos:
        await put(qos, "/archive/f")
        await put(qos, "/big", "x" * 1000)
        await put(qos, "/small")
        paths = ("/archive/f", "/big", "/small")
        assert [await at(qos, path) for path in paths] == ["DiskAndTape", "DiskAndTape", "DiskOnly"]
        qos.clock.advance(timedelta(days=10))
        assert [await at(qos, path) for path in paths] == ["TapeOnly", "DiskAndTape", "DiskOnly"]
        qos.clock.advance(timedelta(days=360))
        assert [await at(qos, path) for path in paths] == ["TapeOnly", "DiskAndTape", "TapeOnly"]
        assert [path for path, _, _ in await expired(qos)] == ["/archive/f", "/small"]


async def test_what_was_moved_is_as_old_as_it_is(start_qos, tmp_path):
    async with start_qos(rules_file=rules(tmp_path, OPERATOR)) as qos:
        await put(qos, "/f")
        qos.clock.advance(timedelta(days=300))
        headers = qos.auth() | {"content-type": "application/cdmi-object"}
        assert (await qos.http.put("/g", content='{"move": "/f"}', headers=headers)).status_code == 201
        assert await at(qos, "/g") == "DiskOnly"
        qos.clock.advance(timedelta(days=65))
        assert await at(qos, "/g") == "TapeOnly"


async def test_a_choice_is_explained(start_qos, tmp_path):
    async with start_qos(rules_file=rules(tmp_path, OPERATOR)) as qos:

        async def explain(**params):
            answer = await qos.http.get("/api/explain", params=params)
            return answer.json() | {"status": answer.status_code}

        await put(qos, "/archive/f")
        told = await explain(path="/archive/f")
        assert (told["chosen_class"], told["source"], told["currency"]) == ("DiskAndTape", "rule", "EUR")
        assert "policy cold" in told["reason"]
        assert told["changes_at"] == "2026-01-11T00:00:00Z"
        assert told["expected_seconds"] is None or told["expected_seconds"] >= 0
        told = await explain(path="/new", size=2 * 10**12)
        assert (told["chosen_class"], told["reason"]) == ("DiskAndTape", "rule big")
        assert told["expected_cost_per_month"] == 44.0
        told = await explain(path="/new", size=1, expression="country=ES & type=tape")
        assert (told["chosen_class"], told["source"]) == ("TapeOnly", "expression")
        fulfils = {each["storage_class"]: each["fulfils_expression"] for each in told["considered"]}
        assert fulfils == {"DiskOnly": False, "DiskAndTape": False, "TapeOnly": True}
        wrong = await explain(path="/new", expression="country=PL&")
        assert (wrong["status"], wrong["errors"][0]["pointer"]) == (400, "/query/expression")
        assert (await explain(path="new"))["errors"][0]["pointer"] == "/query/path"
        assert (await explain(path="/new", size=-1))["status"] == 422


async def test_a_transition_to_the_class_an_expression_finds(qos):
    await put(qos, "/f")

    async def ask(**body):
        return await qos.http.post("/api/transitions", json={"path": "/f", **body}, headers=qos.auth())

    asked = await ask(expression="type=tape | latency>1000")
    assert (asked.status_code, asked.json()["target_class"]) == (202, "TapeOnly")
    for body in ({}, {"expression": "a=b", "target_class": "TapeOnly"}):
        assert (await ask(**body)).status_code == 422
    wrong = await ask(expression="country=PL")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/expression")


async def test_what_is_retained_or_held_stays(qos):
    period = "2026-01-01T00:00:00.000000Z/2026-02-01T00:00:00.000000Z"
    assert (await put(qos, "/box/f", cdmi_retention_period=period)).status_code == 201
    assert (await put(qos, "/box/g", cdmi_hold_id={"case_7": ""})).status_code == 201
    for path in ("/box/f", "/box/g", "/box/"):
        assert (await qos.http.delete(path, headers=qos.auth())).status_code == 403
    assert (await put(qos, "/box/f", "other", cdmi_retention_period=period)).status_code == 403
    assert (await put(qos, "/box/f", None)).status_code == 403  # would take the retention away
    assert (await put(qos, "/box/g", None)).status_code == 403
    qos.clock.advance(timedelta(days=31))
    assert (await qos.http.delete("/box/f", headers=qos.auth())).status_code == 204
    assert (await qos.http.delete("/box/g", headers=qos.auth())).status_code == 403
    assert (await put(qos, "/box/g", None, scopes=["operator"])).status_code == 204
    assert (await qos.http.delete("/box/", headers=qos.auth())).status_code == 204


@pytest.mark.parametrize(
    "change", [{"metadata": WISH | {"cdmi_hold_id": "7"}}, {"value": "new"}, {"metadata": {}}]
)
async def test_what_is_changed_when_its_time_is_just_over_is_not_deleted(qos, monkeypatch, change):
    await put(qos, "/f", **WISH)
    qos.clock.advance(timedelta(hours=2))
    looked, go_on, real = asyncio.Event(), asyncio.Event(), lifetimes.moving

    async def moving(*args):
        looked.set()
        await go_on.wait()
        return await real(*args)

    monkeypatch.setattr(lifetimes, "moving", moving)
    ending = asyncio.create_task(qos.work_off())
    await looked.wait()
    headers = qos.auth() | {"content-type": "application/cdmi-object"}
    assert (await qos.http.put("/f", content=json.dumps(change), headers=headers)).status_code == 204
    go_on.set()
    await ending
    assert (await qos.http.get("/f")).status_code == 200
