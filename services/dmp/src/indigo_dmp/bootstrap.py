"""Puts the plan service together; the only module that knows every room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from indigo_kernel.db.inbox import subscription
from indigo_kernel.db.jobs import Worker
from indigo_kernel.db.uow import Job
from indigo_kernel.platform import Platform
from indigo_kernel.runtime import Runtime

from indigo_dmp.adapters.db.uow import DmpUnitOfWork
from indigo_dmp.api import routes_dmps, routes_outputs, routes_plans, routes_promises
from indigo_dmp.api.common_errors import CommonErrors
from indigo_dmp.application.ledger import DUE_JOB, mark_due
from indigo_dmp.consumers.on_evidence import on_evidence
from indigo_dmp.domain.readings import EVIDENCE
from indigo_dmp.settings import Settings
from indigo_dmp.web.routes_plan import plan_router

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: Settings, **overrides: Any) -> Runtime:
    """The service. ``overrides`` are what ``Platform.create`` takes besides: clock, bus, verifier, transport."""
    platform = Platform.create("dmp", settings, **overrides)

    def works() -> DmpUnitOfWork:
        return DmpUnitOfWork(platform.database)

    async def look_for_due(job: Job) -> None:
        async with works() as work:
            await mark_due(work, job.payload["plan_id"])
            await work.finish(job)

    api = platform.api(
        title="INDIGO data management plans",
        description="Plans that act: write, publish, and see every promise kept or broken.",
        routers=[
            routes_dmps.router,
            routes_plans.router,
            plan_router(works),
            routes_outputs.router,
            routes_promises.router,
        ],
        receives=EVIDENCE,
    )
    api.state.works = works
    api.add_middleware(CommonErrors)
    return platform.runtime(
        api,
        migrations=MIGRATIONS,
        subscriptions=[subscription("dmp", "ledger", works, dict.fromkeys(EVIDENCE, on_evidence))],
        workers=[Worker(platform.database, DUE_JOB, look_for_due)],
    )
