"""A publication that is cut off at any step is taken up and has one effect."""

from datetime import timedelta

import pytest
from indigo_repository.adapters.db.uow import RepositoryUnitOfWork
from indigo_repository.adapters.storage.ocfl import OcflStore
from indigo_repository.adapters.storage.staging import LocalStaging
from indigo_repository.application import publication
from indigo_repository.application.sweep import ABANDONED_AFTER, sweep
from indigo_repository.domain.site import Site

SITE = Site("https://repository.example.org", "INDIGO Data Repository")


@pytest.fixture
def ada(suite):
    return suite.as_("ada")


class Steps:
    """The steps of a publication, to stop between them."""

    def __init__(self, suite):
        storage = suite.settings.storage_dir
        self.suite = suite
        self.store = OcflStore(storage / "ocfl-root", storage / "work")
        self.staging = LocalStaging(storage / "staging")

    def open_work(self):
        return RepositoryUnitOfWork(self.suite.runtime.database)

    async def begin(self, record_id):
        token = self.suite.issuer.token("ada", ["repository:write"])
        who = await self.suite.runtime.api.state.authenticator.bearer(token)
        async with self.open_work() as work:
            return await publication.begin(work, record_id, who)

    async def preserve(self, begun):
        return await publication.preserve(begun, self.open_work, self.store, self.staging, SITE)


@pytest.fixture
def steps(suite):
    return Steps(suite)


async def ready(suite, ada):
    record_id = await suite.draft(ada)
    await suite.upload(ada, record_id, "a.txt", b"a")
    return record_id


@pytest.mark.parametrize("after", ["begin", "preserve"])
@pytest.mark.parametrize("taken_up_by", ["the depositor", "the job"])
async def test_a_death_between_the_steps(suite, ada, steps, after, taken_up_by):
    record_id = await ready(suite, ada)
    begun = await steps.begin(record_id)
    if after == "preserve":
        await steps.preserve(begun)
    locked = await suite.http.delete(f"/api/records/{record_id}/draft/files/a.txt", headers=ada)
    assert locked.status_code == 409  # what is being preserved does not change
    if taken_up_by == "the depositor":
        assert (await suite.publish(ada, record_id)).status_code == 200
    suite.runtime.database.clock.advance(timedelta(minutes=5))
    assert await suite.work("publish") == 1
    assert await suite.fact_names() == ["repository.record.published.v1"]
    assert (await suite.http.get(f"/api/records/{record_id}/files/a.txt/content")).content == b"a"
    versions = list((suite.settings.storage_dir / "ocfl-root").rglob("v*/inventory.json"))
    assert len(versions) == 1


async def test_a_disk_that_lost_bytes_leaves_an_open_draft(suite, ada):
    record_id = await ready(suite, ada)
    (blob,) = (suite.settings.storage_dir / "staging" / "sealed").iterdir()
    blob.write_bytes(b"b")
    failed = await suite.publish(ada, record_id)
    assert failed.status_code == 503
    assert failed.json()["reason"] == "storage-fault"
    assert await suite.fact_names() == []
    files = f"/api/records/{record_id}/draft/files"
    assert (await suite.http.delete(f"{files}/a.txt", headers=ada)).status_code == 204
    await suite.upload(ada, record_id, "a.txt", b"a")
    assert (await suite.publish(ada, record_id)).status_code == 200


async def test_the_sweep_removes_only_what_no_draft_has(suite, ada, steps):
    await ready(suite, ada)
    clock = suite.runtime.database.clock
    orphan = steps.staging.receive()
    orphan.write(b"from a request that died")
    orphan.finish()
    cut = steps.staging.receive()
    cut.write(b"half")
    assert await sweep(steps.open_work, steps.staging, clock) == 0
    clock.advance(ABANDONED_AFTER + timedelta(minutes=1))
    assert await sweep(steps.open_work, steps.staging, clock) == 1
    sealed = suite.settings.storage_dir / "staging" / "sealed"
    assert len(list(sealed.iterdir())) == 1
    assert list((suite.settings.storage_dir / "staging" / "incoming").iterdir()) == []
    cut.discard()


async def test_readiness_says_when_the_storage_is_something_else(suite):
    root = suite.settings.storage_dir / "ocfl-root"
    root.mkdir(parents=True)
    (root / "letters.txt").write_text("mine")
    answer = await suite.http.get("/readyz/storage")
    assert answer.status_code == 503
    (root / "letters.txt").unlink()
    assert (await suite.http.get("/readyz/storage")).status_code == 200
