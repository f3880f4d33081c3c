"""The repository put together."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from indigo_contracts.dmp import PlanPublished, PlanWithdrawn
from indigo_contracts.envelope import Fact
from indigo_contracts.integrity import FixityFailed, RunFinished
from indigo_contracts.pid import IdentifierMinted, IdentifierUpdated
from indigo_contracts.qos import TransitionCompleted
from indigo_kernel.db.inbox import Apply, subscription
from indigo_kernel.db.jobs import Worker
from indigo_kernel.db.uow import Job
from indigo_kernel.platform import Platform
from indigo_kernel.runtime import Runtime

from indigo_repository.adapters.db.uow import RepositoryUnitOfWork
from indigo_repository.adapters.storage.ocfl import OcflStore
from indigo_repository.adapters.storage.staging import LocalStaging
from indigo_repository.api.deps import Room, streams
from indigo_repository.api.present import show_record
from indigo_repository.api.routes_draft_files import draft_files_router
from indigo_repository.api.routes_drafts import drafts_router
from indigo_repository.api.routes_records import records_router
from indigo_repository.application import fixity, publication
from indigo_repository.application.sweep import Sweeper
from indigo_repository.application.uploads import Limits
from indigo_repository.consumers.on_fixity_failed import on_fixity_failed
from indigo_repository.consumers.on_identifier_minted import on_identifier_minted
from indigo_repository.consumers.on_plan_published import on_plan_published
from indigo_repository.consumers.on_plan_withdrawn import on_plan_withdrawn
from indigo_repository.consumers.on_run_finished import on_run_finished
from indigo_repository.consumers.on_transition_completed import on_transition_completed
from indigo_repository.domain.site import Site
from indigo_repository.settings import Settings
from indigo_repository.web.routes_landing import landing_router

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: Settings, **overrides: Any) -> Runtime:
    """The service with its routes, consumers and workers. ``overrides`` go to ``Platform.create``."""
    platform = Platform.create("repository", settings, **overrides)
    database = platform.database
    site = Site(settings.base_url, settings.publisher)
    staging = LocalStaging(settings.storage_dir / "staging")
    store = OcflStore(settings.storage_dir / "ocfl-root", settings.storage_dir / "work")

    async def storage_ready() -> None:
        await asyncio.to_thread(store.prepare)

    platform.health.add("storage", storage_ready)

    def open_work() -> RepositoryUnitOfWork:
        return RepositoryUnitOfWork(database)

    room = Room(
        open_work,
        staging,
        store,
        site,
        Limits(settings.max_files, settings.max_file_bytes, settings.max_record_bytes),
    )
    on_identifier = on_identifier_minted(site)
    consumers: dict[type[Fact], Apply[RepositoryUnitOfWork]] = {
        PlanPublished: on_plan_published(staging, site),
        PlanWithdrawn: on_plan_withdrawn(site),
        IdentifierMinted: on_identifier,
        IdentifierUpdated: on_identifier,
        RunFinished: on_run_finished,
        FixityFailed: on_fixity_failed,
        TransitionCompleted: on_transition_completed,
    }

    async def publish(job: Job) -> None:
        await publication.resume(job.key, open_work, store, staging, site)

    async def verify(job: Job) -> None:
        await fixity.verify_record(job.key, open_work, store, site, agent=site.base_url)

    api = platform.api(
        title="INDIGO repository",
        description="Datasets, software, plans and analyses, preserved as OCFL objects.",
        routers=[
            draft_files_router(room),
            drafts_router(room),
            records_router(room),
            landing_router(open_work, site, show_record),
        ],
        streams=streams,
        receives=tuple(consumers),
    )
    return platform.runtime(
        api,
        migrations=MIGRATIONS,
        subscriptions=[subscription("repository", "records", open_work, consumers)],
        workers=[
            Worker(database, publication.JOB, publish),
            Worker(database, fixity.JOB, verify, concurrency=1),
            Sweeper(open_work, staging, store, platform.clock),
        ],
    )
