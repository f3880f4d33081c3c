"""The composition root of the pid service."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic

import httpx
from indigo_contracts.repository import RecordPublished, RecordReserved, RecordUpdated, RecordWithdrawn
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.ports import Bus, Subscription
from indigo_kernel.clock import Clock
from indigo_kernel.db.inbox import subscription
from indigo_kernel.db.jobs import Worker
from indigo_kernel.http.client import Retries, internal_client
from indigo_kernel.platform import Platform
from indigo_kernel.runtime import Runtime
from starlette.middleware import Middleware

from indigo_pid.adapters.datacite import DataCite
from indigo_pid.adapters.db.index_feed import PostgresFeed
from indigo_pid.adapters.db.uow import PidWork
from indigo_pid.adapters.index_file import DiskIndex
from indigo_pid.api.deps import Deps
from indigo_pid.api.handle_answers import Refusal, tell_refusal
from indigo_pid.api.routes_dois import doi_routes
from indigo_pid.api.routes_handles import handle_routes, lookup_routes
from indigo_pid.api.routes_identifiers import identifier_routes
from indigo_pid.api.routes_metadata import metadata_routes
from indigo_pid.api.routes_sandbox import sandbox_routes
from indigo_pid.application.dois import JOB
from indigo_pid.application.identifiers import Rules
from indigo_pid.application.index_keeper import IndexKeeper
from indigo_pid.application.name_index import NameIndex
from indigo_pid.application.reconcile import Reconciler
from indigo_pid.application.registrars import Registrars
from indigo_pid.consumers.on_record_published import on_record_published
from indigo_pid.consumers.on_record_reserved import on_record_reserved
from indigo_pid.consumers.on_record_updated import on_record_updated
from indigo_pid.consumers.on_record_withdrawn import on_record_withdrawn
from indigo_pid.domain.bucket import Bucket
from indigo_pid.sandbox.app import Account, SandboxRegistrar, create_sandbox
from indigo_pid.sandbox.faults import FaultyRegistrar
from indigo_pid.sandbox.store import SandboxStore
from indigo_pid.settings import SANDBOX_PATH, Settings
from indigo_pid.web.fast_resolver import FastResolver
from indigo_pid.web.resolver import resolver_routes

REGISTRAR_BURST = 50
"""Requests to a registrar that may come at once: a deposit is registered at once, a thousand are not."""

MIGRATIONS = Path(__file__).parent / "migrations"

DESCRIPTION = """Persistent identifiers: one internal name for everything, with the faces of a Handle and an ARK,
DOIs at a registrar, and a resolver for them all."""


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    bus: Bus | None = None,
    verifier: TokenVerifier | None = None,
    service_auth: httpx.Auth | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Runtime:
    """The service, ready to start. Raises ``ValueError`` with the name of a setting that is missing."""
    platform = Platform.create(
        "pid",
        settings,
        clock=clock,
        bus=bus,
        verifier=verifier,
        service_auth=service_auth,
        transport=transport,
    )
    index = NameIndex(settings.naming, settings.resolver_names, monotonic)
    keeper = IndexKeeper(index, PostgresFeed(platform.engine), _index_file(settings))
    work = partial(PidWork, platform.database, index)
    rules = Rules(settings.naming, settings.prefixes, frozenset(settings.target_hosts))
    http = internal_client(
        settings.registrar_url,
        auth=httpx.BasicAuth(settings.datacite_repository, settings.registrar_password),
        read_seconds=settings.datacite_seconds,
        retries=Retries(tries=1),  # the reconciler decides when to ask again
        transport=transport,
    )
    bucket = None if settings.datacite_url is None else Bucket(settings.datacite_rate, REGISTRAR_BURST)
    datacite = DataCite(http, platform.clock, settings.datacite_repository, settings.datacite_prefixes, bucket)
    registrars = Registrars([datacite])
    deps = Deps(work, rules, registrars)
    sandbox = (
        FaultyRegistrar(create_sandbox(_sandbox(settings, platform))) if settings.datacite_url is None else None
    )
    api = platform.api(
        title="INDIGO persistent identifiers",
        description=DESCRIPTION,
        routers=[
            identifier_routes(deps),
            handle_routes(deps),
            lookup_routes(deps),
            doi_routes(deps),
            *([sandbox_routes(sandbox)] if sandbox is not None else []),
            metadata_routes(),
            resolver_routes(work, settings.naming),
        ],
        # The sandbox reads and refuses bodies itself, with DataCite's error documents.
        streams=_is_sandbox if settings.datacite_url is None else None,
        receives=(RecordReserved, RecordPublished, RecordUpdated, RecordWithdrawn),
    )
    if sandbox is not None:
        api.mount(SANDBOX_PATH, sandbox)
    api.add_exception_handler(Refusal, tell_refusal)
    api.user_middleware.insert(0, Middleware(FastResolver, index=index, keeper=keeper))
    platform.health.add("resolver", keeper.check, live=True)
    reconciler = Reconciler(work, registrars, platform.clock)
    runtime = platform.runtime(
        api,
        migrations=MIGRATIONS,
        subscriptions=[_records(work, rules)],
        workers=[Worker(platform.database, JOB, reconciler.handle, give_up=reconciler.give_up)],
    )
    runtime.close += [keeper.stop, http.aclose]
    return runtime


def _records(work: Callable[[], PidWork], rules: Rules) -> Subscription:
    """One queue for all facts about records: it keeps their order."""
    return subscription(
        "pid",
        "records",
        work,
        {
            RecordReserved: partial(on_record_reserved, rules),
            RecordPublished: partial(on_record_published, rules),
            RecordUpdated: partial(on_record_updated, rules),
            RecordWithdrawn: partial(on_record_withdrawn, rules),
        },
    )


def _index_file(settings: Settings) -> DiskIndex | None:
    if settings.resolver_directory is None:
        return None
    naming = settings.naming
    header = f"indigo names 1 {naming.handle_prefix} {naming.doi_prefix} {naming.naan}"
    return DiskIndex(settings.resolver_directory / "names", header)


def _is_sandbox(_method: str, path: str) -> bool:
    return path.startswith(f"{SANDBOX_PATH}/")


def _sandbox(settings: Settings, platform: Platform) -> SandboxRegistrar:
    account = Account(settings.datacite_repository, settings.registrar_password, settings.datacite_prefixes)
    return SandboxRegistrar(SandboxStore(platform.engine, platform.clock), account)
