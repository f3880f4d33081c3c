"""The composition root: the only file that knows every other room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from indigo_contracts.dmp import PlanPublished
from indigo_contracts.envelope import Fact
from indigo_contracts.qos import (
    LifetimeExpired,
    TransitionCancelled,
    TransitionCompleted,
    TransitionFailed,
    TransitionRequested,
)
from indigo_contracts.repository import RecordPublished
from indigo_kernel.auth.dependency import require
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.db.feed import known
from indigo_kernel.db.inbox import subscription
from indigo_kernel.db.jobs import Worker
from indigo_kernel.db.reader import Reader
from indigo_kernel.platform import Platform
from indigo_kernel.problems import Unavailable
from indigo_kernel.runtime import Runtime
from starlette.middleware import Middleware

from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.db.places import SqlPlaceViews
from indigo_qos_gateway.adapters.db.stage_requests import SqlStageRequests
from indigo_qos_gateway.adapters.db.uow import GatewayWork
from indigo_qos_gateway.adapters.db.views import SqlViews
from indigo_qos_gateway.adapters.mounting import read_mounts
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.adapters.repository import HttpRecordFiles
from indigo_qos_gateway.adapters.rules_file import read_rules
from indigo_qos_gateway.adapters.steps import Steps
from indigo_qos_gateway.api import (
    routes_backends,
    routes_bulk,
    routes_capabilities,
    routes_cdmi,
    routes_domains,
    routes_explain,
    routes_tape,
    routes_transitions,
)
from indigo_qos_gateway.api.deps import Service
from indigo_qos_gateway.api.media import describe
from indigo_qos_gateway.api.quick_reads import QuickReads
from indigo_qos_gateway.application import batches as batching
from indigo_qos_gateway.application import copying
from indigo_qos_gateway.application.access import Access
from indigo_qos_gateway.application.batch_carrying import BatchCarrier
from indigo_qos_gateway.application.batches import BatchLimits
from indigo_qos_gateway.application.carrying import Carrier
from indigo_qos_gateway.application.choosing import Chooser
from indigo_qos_gateway.application.joining_many import joined
from indigo_qos_gateway.application.lifetimes import LIFETIMES, Timers
from indigo_qos_gateway.application.mounts import Mount, MountTable
from indigo_qos_gateway.application.notifying import NOTIFICATIONS, Notifier, QueueLimits
from indigo_qos_gateway.application.objects import Gateway
from indigo_qos_gateway.application.ports import Backend, NewWork, Pace, StageRequests
from indigo_qos_gateway.application.querying import QUERIES, Searcher
from indigo_qos_gateway.application.relocating import LEFTOVERS, Relocator
from indigo_qos_gateway.application.row_ports import PlaceViews
from indigo_qos_gateway.application.sighting import Sightings
from indigo_qos_gateway.application.staging import PINS, PinKeeper
from indigo_qos_gateway.application.transitions import JOB
from indigo_qos_gateway.consumers.on_plan_published import on_plan_published
from indigo_qos_gateway.consumers.on_quality import on_lifetime_expired, on_transition
from indigo_qos_gateway.consumers.on_record_published import on_record_published
from indigo_qos_gateway.domain.paths import ROOT, check_name_is_free
from indigo_qos_gateway.domain.rules import Rules
from indigo_qos_gateway.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"

OWN_NAMES = frozenset(
    {
        ".well-known",
        "api",
        "api-keys",
        "asyncapi.json",
        "dead-letters",
        "docs",
        "events",
        "livez",
        "openapi.json",
        "readyz",
        "schemas",
        "version",
    }
)
"""First path segments of routes that are not objects: nothing can be stored under them."""


def build(settings: Settings, **overrides: Any) -> Runtime:
    """The service put together. ``overrides`` go to ``Platform.create``: a clock, a bus, keys, a transport."""
    platform = Platform.create("qos-gateway", settings, basic_auth=settings.basic_auth, **overrides)

    def work() -> GatewayWork:
        return GatewayWork(platform.database)

    rules = read_rules(settings.rules_file)
    requests = SqlStageRequests(platform.engine)
    relocator, mounts = _joined(_mounts(settings, requests), rules, settings, work, SqlPlaceViews(platform.engine))
    consumers: dict[type[Fact], Any] = {
        PlanPublished: on_plan_published(mounts),
        RecordPublished: on_record_published(mounts),
    }
    told: dict[type[Fact], Any] = {
        TransitionRequested: on_transition,
        TransitionCompleted: on_transition,
        TransitionFailed: on_transition,
        TransitionCancelled: on_transition,
        LifetimeExpired: on_lifetime_expired,
    }
    access = Access(mounts)
    api = platform.api(
        title="Storage quality of service",
        description="Storage classes, transitions and objects over CDMI 1.1.1 and the INDIGO QoS dialect.",
        routers=[
            routes_tape.router,
            routes_bulk.router,  # before the transitions: /bulk is not one of them
            routes_transitions.router,
            routes_backends.router,
            routes_explain.router,
            routes_capabilities.router,
            routes_domains.router,
            routes_cdmi.router,  # takes every path that is left, so it is the last one
        ],
        streams=_streams,
        receives=[*consumers, *told],
        events=known if access.open else require(Scope.OPERATOR),
    )
    # Behind the limits, the log and HEAD, before FastAPI.
    api.user_middleware.append(Middleware(QuickReads, own_names=OWN_NAMES))
    describe(api.openapi())
    chooser = Chooser(mounts, rules)
    timers = Timers(work, chooser)
    reader = Reader(platform.engine)
    sightings = Sightings(mounts, SqlViews(reader, mounts.lineage))
    gateway = Gateway(work, mounts, settings.cdmi_enterprise_number, chooser, sightings, timers)
    transfers = copying.Transfers(gateway)
    queue_limits = QueueLimits(settings.queue_values, settings.queue_bytes)
    api.state.gateway = Service(
        access=access,
        gateway=gateway,
        own_names=OWN_NAMES,
        polling_ms=int(settings.polling_interval.total_seconds() * 1000),
        site=settings.posix_site or settings.public_url.host or "indigo",
        limits=BatchLimits(settings.batch_targets, settings.batch_active, settings.stage_lifetime),
        queue_limits=queue_limits,
        issuers=tuple(settings.trusted_issuers),
    )
    for mount in mounts.mounts:
        platform.health.add(f"backend-{mount.backend.name}", _usable(mount.backend), seconds=5)
    carrier = Carrier(
        work=work,
        mounts=mounts,
        files=HttpRecordFiles(platform.client(str(settings.repository_url)), str(settings.repository_url)),
        pace=Pace(settings.transition_patience, settings.polling_interval),
        timers=timers,
    )
    batches = BatchCarrier(
        work=work, mounts=mounts, pace=carrier.pace, attempts=settings.transition_attempts, timers=timers
    )
    runtime = platform.runtime(
        api,
        migrations=MIGRATIONS,
        subscriptions=[
            subscription("qos", "placement", work, consumers),
            subscription("qos", "notifications", work, told),
        ],
        workers=[
            Worker(
                platform.database,
                JOB,
                carrier.carry_out,
                concurrency=settings.transition_concurrency,
                max_attempts=settings.transition_attempts,
                give_up=carrier.give_up,
            ),
            Worker(
                platform.database,
                batching.JOB,
                batches.carry_out,
                concurrency=settings.transition_concurrency,
                max_attempts=settings.transition_attempts,
                give_up=batches.give_up,
            ),
            Worker(
                platform.database,
                copying.JOB,
                transfers.carry_out,
                concurrency=settings.transition_concurrency,
                max_attempts=settings.transition_attempts,
                give_up=transfers.give_up,
            ),
            Worker(platform.database, LEFTOVERS, relocator.remove, concurrency=settings.transition_concurrency),
            Worker(platform.database, LIFETIMES, timers.end_due, concurrency=1),
            Worker(platform.database, PINS, PinKeeper(work).end_pins, concurrency=1),
            Worker(
                platform.database, NOTIFICATIONS, Notifier(work, gateway.look, queue_limits).tell, concurrency=1
            ),
            Worker(platform.database, QUERIES, Searcher(gateway, queue_limits).search, concurrency=2),
        ],
    )
    runtime.close += [reader.close, *(mount.backend.close for mount in mounts.mounts)]
    return runtime


def _streams(method: str, path: str) -> bool:
    """Values of any size are stored with PUT and POST, except where the gateway's own API is."""
    return method in {"PUT", "POST"} and path.strip("/").split("/")[0] not in OWN_NAMES


def _mounts(settings: Settings, requests: StageRequests) -> list[Mount]:
    """Those of the file, and the POSIX back-end at the root unless another one is there."""
    mounts = read_mounts(settings.mounts_file, requests) if settings.mounts_file else []
    for mount in mounts:
        if mount.prefix != ROOT:
            check_name_is_free(mount.prefix, OWN_NAMES)
    if any(mount.prefix == ROOT for mount in mounts):
        return mounts
    if settings.posix_disk_dir is None or settings.posix_tape_dir is None:
        raise ValueError(
            "No storage: set INDIGO_QOS_GATEWAY_POSIX_DISK_DIR and INDIGO_QOS_GATEWAY_POSIX_TAPE_DIR,"
            " or mount a back-end at / in INDIGO_QOS_GATEWAY_MOUNTS_FILE"
        )
    if any(mount.backend.name == "posix" for mount in mounts):
        raise ValueError("The name posix is that of the back-end at /")
    posix = PosixBackend(
        "posix",
        settings.posix_disk_dir,
        settings.posix_tape_dir,
        Place(settings.posix_site, settings.posix_country),
        concurrency=settings.posix_concurrency,
    )
    return [*mounts, Mount(ROOT, posix)]


def _joined(
    mounts: Sequence[Mount], rules: Rules, settings: Settings, work: NewWork, views: PlaceViews
) -> tuple[Relocator, MountTable]:
    """Where there are several back-ends, each mount follows its objects to those that took them over.

    Raises ``ValueError`` when the rules name a back-end that is not there.
    """
    backends = {mount.backend.name: mount.backend for mount in mounts}
    relocator = Relocator(work, backends, settings.transition_stall)
    for name, takers in rules.takers.items():
        for each in (name, *takers):
            if each not in backends or takers.count(name):
                raise ValueError(f"the takers of {name} cannot be used: there is {', '.join(sorted(backends))}")
    if len(mounts) == 1:
        return relocator, MountTable(mounts)

    def join(mount: Mount) -> Mount:
        name, steps = mount.backend.name, Steps(settings.transition_concurrency)
        takers = rules.takers.get(name, ())
        return replace(mount, backend=joined(mount.prefix, name, takers, relocator, views, steps))

    return relocator, MountTable([join(mount) for mount in mounts])


def _usable(backend: Backend) -> Any:
    async def check() -> None:
        health = await backend.health()
        if not health.usable:
            raise Unavailable(f"{backend.name}: {'; '.join(health.notes)}")

    return check
