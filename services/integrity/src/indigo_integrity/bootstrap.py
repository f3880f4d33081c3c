"""The composition root: the only file that knows every other room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from indigo_contracts.dmp import Limits, PlanPublished, PlanWithdrawn
from indigo_contracts.envelope import Fact
from indigo_contracts.repository import RecordPublished, RecordUpdated, RecordWithdrawn
from indigo_kernel.db.inbox import subscription
from indigo_kernel.db.jobs import Worker
from indigo_kernel.http.client import Retries
from indigo_kernel.platform import Platform
from indigo_kernel.runtime import Runtime

from indigo_integrity.adapters.db.uow import IntegrityWork
from indigo_integrity.adapters.repository import HttpRecords
from indigo_integrity.adapters.sandbox.bubblewrap import Bubblewrap
from indigo_integrity.adapters.tabular.validate import Budget, DuckdbValidator
from indigo_integrity.adapters.workspaces import Workspaces
from indigo_integrity.api import routes_fixity, routes_runs
from indigo_integrity.application.levels.base import Tools
from indigo_integrity.application.runs import JOB
from indigo_integrity.consumers.fixity_sweeper import FixitySweeper
from indigo_integrity.consumers.on_plan import on_plan
from indigo_integrity.consumers.on_record import on_record
from indigo_integrity.consumers.run_worker import RunWorker
from indigo_integrity.settings import Settings

_ONCE = Retries(tries=1)
"""The job of a run is what is tried again, after pauses that hold no worker."""

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: Settings, **overrides: Any) -> Runtime:
    """The service put together. ``overrides`` go to ``Platform.create``: a clock, a bus, keys, a transport."""
    platform = Platform.create("integrity", settings, **overrides)

    def work() -> IntegrityWork:
        return IntegrityWork(platform.database)

    record = on_record(settings.fixity_interval)
    consumers: dict[type[Fact], Any] = {
        PlanPublished: on_plan,
        PlanWithdrawn: on_plan,
        RecordPublished: record,
        RecordUpdated: record,
        RecordWithdrawn: record,
    }
    api = platform.api(
        title="Integrity",
        description="Tests of what plans promise: existence, metadata, content and data processing.",
        routers=[routes_runs.router, routes_fixity.router],
        receives=list(consumers),
    )
    api.state.work = work
    runs = RunWorker(work, _tools(settings, platform), settings.fixity_interval)
    return platform.runtime(
        api,
        migrations=MIGRATIONS,
        subscriptions=[subscription("integrity", "tests", work, consumers)],
        workers=[
            Worker(
                platform.database,
                JOB,
                runs.handle,
                concurrency=settings.concurrency,
                max_attempts=settings.attempts,
                give_up=runs.give_up,
            ),
            FixitySweeper(work, every=settings.fixity_sweep, interval=settings.fixity_interval),
        ],
    )


def _tools(settings: Settings, platform: Platform) -> Tools:
    budget = Budget(
        memory_mb=settings.table_memory_mb,
        threads=settings.table_threads,
        seconds=settings.table_seconds,
        findings=settings.findings_per_check,
        scratch_mb=max(settings.max_download_bytes >> 20, 1),
    )
    return Tools(
        source=HttpRecords(platform.client(str(settings.repository_url), retries=_ONCE)),
        workspaces=Workspaces(settings.work_dir),
        tables=DuckdbValidator(budget),
        executor=Bubblewrap(),
        caps=Limits(
            wall_seconds=settings.max_wall_seconds,
            cpu_seconds=settings.max_cpu_seconds,
            memory_mb=settings.max_memory_mb,
            disk_mb=settings.max_disk_mb,
            processes=settings.max_processes,
        ),
        max_download_bytes=settings.max_download_bytes,
    )
