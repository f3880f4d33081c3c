"""Plans and records in: preservation copies at the promised class, in any order, once."""

import hashlib
import json
from datetime import timedelta

import pytest
from indigo_contracts.dmp import PlanPublished, StoragePromise
from indigo_contracts.repository import PlanLink, RecordFile, RecordPublished

FILES = {"penguins.csv": b"species,mass\n" * 5000, "docs/read me.txt": b"hello", "empty": b""}


async def placed(qos, record_id="r1"):
    """The newest transition of a record."""
    return (await qos.http.get("/api/transitions", params={"record": record_id})).json()["items"][0]


@pytest.mark.parametrize("record_first", [False, True])
async def test_a_record_is_placed_at_the_promised_class(qos, make_plan, record_first):
    documents = [make_plan(data="DiskAndTape"), qos.repository.record("r1", FILES)]
    await qos.publish(*(reversed(documents) if record_first else documents))
    await qos.work_off()
    done = await placed(qos)
    assert (done["state"], done["path"], done["record_id"]) == ("COMPLETED", "/records/r1/", "r1")
    assert done["plan"] == {"plan_id": "p", "edition": 1, "output": "data"}
    assert "source_class" not in done or done["source_class"] is None
    assert done["provided"]["cdmi_data_redundancy_provided"] == "2"
    observed = {each["path"]: each for each in done["objects"]}
    assert observed.keys() == {f"/records/r1/{key}" for key in FILES}
    for key, data in FILES.items():
        each = observed[f"/records/r1/{key}"]
        assert each["sha256"] == hashlib.sha256(data).hexdigest()
        assert (each["storage_class"], each["locality"]) == ("DiskAndTape", "DISK_AND_TAPE")
        assert (qos.directory / "disk/records/r1" / key).read_bytes() == data
    assert all(token.startswith("Bearer ") for _, token in qos.repository.asked)
    assert [name for name, _ in await qos.facts()] == ["requested", "completed"]


async def test_the_same_events_again_change_nothing(qos, make_plan):
    plan, record = (
        PlanPublished(plan=make_plan(data="TapeOnly")),
        RecordPublished(record=qos.repository.record("r1", FILES)),
    )
    for envelope in [qos.envelope(plan), qos.envelope(record)] * 2:
        await qos.runtime.subscriptions[0].handler(envelope)
    await qos.deliver(plan, record)
    await qos.work_off()
    await qos.deliver(record, plan)
    await qos.work_off()
    assert [name for name, _ in await qos.facts()] == ["requested", "completed"]
    assert len(qos.repository.asked) == len(FILES)


async def test_nothing_is_due_without_a_promise(qos, make_plan):
    unplanned = qos.repository.record("r2", FILES, plan=None)
    of_the_plan_itself = qos.repository.record("r3", FILES, plan=PlanLink(plan_id="p", edition=1))
    other = qos.repository.record("r4", FILES, plan=PlanLink(plan_id="p", edition=1, output="free"))
    await qos.publish(make_plan(data="TapeOnly", free=None), unplanned, of_the_plan_itself, other)
    await qos.work_off()
    assert await qos.facts() == []


async def test_a_second_edition_with_another_class_moves_the_copy(qos, make_plan):
    await qos.publish(make_plan(data="DiskAndTape"), qos.repository.record("r1", FILES))
    await qos.work_off()
    asked = len(qos.repository.asked)
    await qos.publish(make_plan(2, data="TapeOnly"))
    await qos.work_off()
    done = await placed(qos)
    assert (done["state"], done["target_class"], done["plan"]["edition"]) == ("COMPLETED", "TapeOnly", 2)
    assert {each["locality"] for each in done["objects"]} == {"TAPE"}
    assert len(qos.repository.asked) == asked  # nothing is fetched twice
    await qos.publish(make_plan(3, data="TapeOnly"), make_plan(1, data="DiskOnly", version=9))
    await qos.work_off()
    assert [name for name, _ in await qos.facts()] == ["requested", "completed"] * 2


async def test_a_later_edition_overtakes_a_copy_that_was_not_made_yet(qos, make_plan):
    await qos.publish(make_plan(data="DiskAndTape"), qos.repository.record("r1", FILES))
    await qos.publish(make_plan(2, data="TapeOnly"))
    await qos.work_off()
    assert [(name, each["target_class"]) for name, each in await qos.facts()] == [
        ("requested", "DiskAndTape"),
        ("cancelled", "DiskAndTape"),
        ("requested", "TapeOnly"),
        ("completed", "TapeOnly"),
    ]


async def test_a_later_edition_stops_a_copy_that_is_being_made(qos, make_plan):
    await qos.publish(make_plan(data="DiskAndTape"), qos.repository.record("r1", FILES))
    async with qos.runtime.api.state.gateway.gateway.work() as work:
        (transition,) = await work.transitions.listed(
            path=None, record_id="r1", state=None, places=None, before=None, limit=1
        )
        await work.transitions.save(transition.start(work.now, None))
    await qos.publish(make_plan(2, data="TapeOnly"))
    await qos.work_off()
    assert [(name, each["target_class"]) for name, each in await qos.facts()] == [
        ("requested", "DiskAndTape"),
        ("cancelled", "DiskAndTape"),
        ("requested", "TapeOnly"),
        ("completed", "TapeOnly"),
    ]


@pytest.mark.parametrize(
    ("promise", "reason"),
    [
        (
            StoragePromise(storage_class="Gold"),
            "No back-end offers Gold; there is POSIX with DiskOnly, DiskAndTape",
        ),
        (StoragePromise(storage_class="DiskOnly", storage_type="Ceph"), "No back-end offers Ceph DiskOnly"),
    ],
)
async def test_a_promise_nobody_can_keep_is_told(qos, make_plan, promise, reason):
    await qos.publish(make_plan(data=promise), qos.repository.record("r1", FILES))
    await qos.work_off()
    failed = await placed(qos)
    assert failed["state"] == "FAILED"
    assert reason in failed["error"]
    assert [name for name, _ in await qos.facts()] == ["requested", "failed"]
    await qos.publish(make_plan(2, data="DiskOnly"))
    await qos.work_off()
    assert (await placed(qos))["state"] == "COMPLETED"


async def test_the_site_of_a_promise_counts(start_qos, make_plan):
    async with start_qos(posix_site="Ifca") as qos:
        elsewhere = StoragePromise(storage_class="DiskOnly", storage_type="posix", site="Cnaf")
        await qos.publish(make_plan(data=elsewhere), qos.repository.record("r1", FILES))
        assert "at Cnaf" in (await placed(qos))["error"]
        here = StoragePromise(storage_class="DiskOnly", storage_type="posix", site="Ifca")
        await qos.publish(make_plan(2, data=here))
        await qos.work_off()
        assert (await placed(qos))["state"] == "COMPLETED"


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://repository.example.org.evil.example/x"])
async def test_files_elsewhere_are_never_fetched(qos, make_plan, url):
    file = RecordFile(key="a", size=1, sha256="0" * 64, mimetype="text/csv", url=url)
    await qos.publish(
        make_plan(data="DiskOnly"), qos.repository.record("r1", {}).model_copy(update={"files": [file]})
    )
    await qos.work_off()
    failed = await placed(qos)
    assert failed["state"] == "FAILED"
    assert "not in the repository" in failed["error"]
    assert qos.repository.asked == []


@pytest.mark.parametrize("key", ["../escape", "/etc/passwd", "a/../../b"])
async def test_a_key_that_leads_out_of_the_record_is_refused(qos, make_plan, key):
    record = qos.repository.record("r1", {"a": b"x"})
    file = record.files[0].model_copy(update={"key": key})
    await qos.publish(make_plan(data="DiskOnly"), record.model_copy(update={"files": [file]}))
    await qos.work_off()
    assert (await placed(qos))["state"] == "FAILED"
    assert sorted(path.name for path in qos.directory.rglob("*") if path.name in {"escape", "b"}) == []


async def test_a_file_with_other_bytes_is_not_kept_and_told_at_last(start_qos, make_plan):
    async with start_qos(transition_attempts=2) as qos:
        record = qos.repository.record("r1", {"a": b"right"})
        qos.repository.files["api/records/r1/files/a/content"] = b"wrong"
        await qos.publish(make_plan(data="DiskOnly"), record)
        await qos.work_off()
        assert (await placed(qos))["state"] == "STARTED"
        qos.clock.advance(timedelta(minutes=1))
        await qos.work_off()
        failed = await placed(qos)
        assert failed["state"] == "FAILED"
        assert "SHA-256" in failed["error"]
        assert not (qos.directory / "disk/records/r1/a").exists()


async def test_a_repository_that_is_away_is_asked_again(qos, make_plan):
    await qos.publish(make_plan(data="DiskOnly"), qos.repository.record("r1", FILES))
    qos.repository.status = 500
    await qos.work_off()
    assert (await placed(qos))["state"] == "STARTED"
    qos.repository.status = 200
    qos.clock.advance(timedelta(minutes=1))
    await qos.work_off()
    assert (await placed(qos))["state"] == "COMPLETED"


async def test_what_is_there_already_is_not_fetched_again_but_damage_is_repaired(qos, make_plan):
    record = qos.repository.record("r1", {"a": b"first", "b": b"other"})
    folder = qos.directory / "disk/records/r1"
    folder.mkdir(parents=True)
    (folder / "a").write_bytes(b"first")
    (folder / "b").write_bytes(b"wrong")
    await qos.publish(make_plan(data="TapeOnly"), record)
    await qos.work_off()
    assert [path for path, _ in qos.repository.asked] == ["api/records/r1/files/b/content"]
    assert (await placed(qos))["state"] == "COMPLETED"


async def test_somebodys_change_of_a_copy_is_told_with_the_plan_and_not_undone(qos, make_plan):
    await qos.publish(make_plan(data="DiskAndTape"), qos.repository.record("r1", FILES))
    await qos.work_off()
    await qos.bring("/records/r1/", "TapeOnly", "container")
    moved = await placed(qos)
    assert (moved["state"], moved["target_class"]) == ("COMPLETED", "TapeOnly")
    assert moved["plan"] == {"plan_id": "p", "edition": 1, "output": "data"}
    await qos.work_off()
    assert (await placed(qos)) == moved
    await qos.publish(make_plan(2, data="DiskAndTape"))
    await qos.work_off()
    assert (await placed(qos))["target_class"] == "DiskAndTape"


async def test_events_reach_the_gateway_over_the_bus(start_qos, make_plan):
    async with start_qos() as qos:
        assert qos.runtime.subscriptions[0].queue == "qos.placement"
        assert set(qos.runtime.subscriptions[0].routing_keys) == {
            "dmp.plan.published.v1",
            "repository.record.published.v1",
        }
        await qos.publish(make_plan(data="DiskOnly"))
        (row,) = await qos.rows("SELECT outputs FROM plans")
        assert json.loads(json.dumps(row.outputs))["data"]["storage_class"] == "DiskOnly"
