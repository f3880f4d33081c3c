"""The composition root of the pid service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import monotonic

import httpx
from indigo_contracts.repository import (
    RecordDiscarded,
    RecordPublished,
    RecordReserved,
    RecordUpdated,
    RecordWithdrawn,
)
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.ports import Bus, Subscription
from indigo_kernel.clock import Clock
from indigo_kernel.db.inbox import subscription
from indigo_kernel.db.jobs import Worker
from indigo_kernel.http.client import Retries, internal_client
from indigo_kernel.platform import Platform
from indigo_kernel.runtime import Runtime

from indigo_pid.adapters.crossref.client import CrossrefClient
from indigo_pid.adapters.crossref.depositor import JOB as CROSSREF_JOB
from indigo_pid.adapters.crossref.depositor import Depositor
from indigo_pid.adapters.crossref.registrar import Crossref
from indigo_pid.adapters.datacite import DataCite
from indigo_pid.adapters.db.deposits import DepositWork
from indigo_pid.adapters.db.index_feed import PostgresFeed
from indigo_pid.adapters.db.pace import SharedPace
from indigo_pid.adapters.db.uow import PidWork
from indigo_pid.adapters.index_file import DiskIndex
from indigo_pid.api.deps import Deps
from indigo_pid.api.handle_answers import Refusal, tell_refusal
from indigo_pid.api.routes_dois import doi_routes
from indigo_pid.api.routes_handle_server import handle_server_routes
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
from indigo_pid.consumers.on_record_discarded import on_record_discarded
from indigo_pid.consumers.on_record_published import on_record_published
from indigo_pid.consumers.on_record_reserved import on_record_reserved
from indigo_pid.consumers.on_record_updated import on_record_updated
from indigo_pid.consumers.on_record_withdrawn import on_record_withdrawn
from indigo_pid.sandbox.app import Account, SandboxRegistrar, create_sandbox
from indigo_pid.sandbox.crossref.app import CrossrefAccount, SandboxCrossref, create_crossref_sandbox
from indigo_pid.sandbox.crossref.store import CrossrefStore
from indigo_pid.sandbox.faults import FaultyRegistrar
from indigo_pid.sandbox.store import SandboxStore
from indigo_pid.settings import CROSSREF_SANDBOX_PATH, SANDBOX_PATH, Settings
from indigo_pid.web.fast_resolver import FastResolver
from indigo_pid.web.resolver import resolver_routes

CROSSREF_LAG = timedelta(days=1)
"""How long Crossref's REST API may not know of a deposit that was processed."""

REGISTRAR_BURST = 50
"""Requests to a registrar that may come at once: a deposit is registered at once, a thousand are not."""

_SANDBOX_PATHS = {"datacite": SANDBOX_PATH, "crossref": CROSSREF_SANDBOX_PATH}

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
    rules = Rules(settings.naming, settings.prefixes, frozenset(settings.target_hosts), settings.prefix_hosts)
    # Nothing is tried again below the registrars: the reconciler and the depositor decide when to ask again.
    client = partial(internal_client, retries=Retries(tries=1), transport=transport)
    to_datacite = client(
        settings.registrar_url,
        auth=httpx.BasicAuth(settings.datacite_repository, settings.registrar_password),
        read_seconds=settings.datacite_seconds,
    )
    to_crossref = client(settings.crossref_deposit_url, read_seconds=settings.crossref_seconds)
    to_crossref_rest = client(settings.crossref_list_url, read_seconds=settings.crossref_seconds)
    pace = (
        None
        if settings.datacite_url is None
        else SharedPace(platform.engine, DataCite.name, settings.datacite_rate, REGISTRAR_BURST)
    )
    crossref = CrossrefClient(
        to_crossref,
        to_crossref_rest,
        platform.clock,
        settings.crossref_login,
        settings.crossref_password,
        settings.crossref_email,
    )
    deposits = partial(DepositWork, platform.database)
    depositor = Depositor(deposits, crossref, settings.crossref_identity)
    registrars = Registrars(
        [
            DataCite(to_datacite, platform.clock, settings.datacite_repository, settings.datacite_prefixes, pace),
            Crossref(
                deposits,
                crossref,
                settings.crossref_prefixes,
                lag=timedelta(0) if settings.crossref_url is None else CROSSREF_LAG,
            ),
        ]
    )
    deps = Deps(work, rules, registrars)
    crossref_sandbox = _crossref_sandbox(settings, platform)
    sandboxes = _sandboxes(settings, platform, crossref_sandbox)
    api = platform.api(
        title="INDIGO persistent identifiers",
        description=DESCRIPTION,
        routers=[
            identifier_routes(deps),
            handle_routes(deps),
            handle_server_routes(deps),
            lookup_routes(deps),
            doi_routes(deps),
            *([sandbox_routes(sandboxes, crossref_sandbox)] if sandboxes else []),
            metadata_routes(),
            resolver_routes(work, rules),
        ],
        # The sandboxes read and refuse bodies themselves, as those they stand for do.
        streams=_is_sandbox if sandboxes else None,
        receives=(RecordReserved, RecordDiscarded, RecordPublished, RecordUpdated, RecordWithdrawn),
    )
    for name, sandbox in sandboxes.items():
        api.mount(_SANDBOX_PATHS[name], sandbox)
    api.add_exception_handler(Refusal, tell_refusal)
    api.put_in_front(partial(FastResolver, index=index, keeper=keeper, rules=rules))
    api.state.names = index
    platform.health.add("resolver", keeper.check, live=True)
    reconciler = Reconciler(work, registrars, platform.clock)
    runtime = platform.runtime(
        api,
        migrations=MIGRATIONS,
        subscriptions=[_records(work, rules)],
        workers=[
            Worker(platform.database, JOB, reconciler.handle, give_up=reconciler.give_up),
            Worker(platform.database, CROSSREF_JOB, depositor.handle, give_up=depositor.give_up),
        ],
    )
    runtime.close += [keeper.stop, to_datacite.aclose, to_crossref.aclose, to_crossref_rest.aclose]
    return runtime


def _records(work: Callable[[], PidWork], rules: Rules) -> Subscription:
    """One queue for all facts about records: it keeps their order."""
    return subscription(
        "pid",
        "records",
        work,
        {
            RecordReserved: partial(on_record_reserved, rules),
            RecordDiscarded: partial(on_record_discarded, rules),
            RecordPublished: partial(on_record_published, rules),
            RecordUpdated: partial(on_record_updated, rules),
            RecordWithdrawn: partial(on_record_withdrawn, rules),
        },
    )


def _index_file(settings: Settings) -> DiskIndex | None:
    if settings.resolver_directory is None:
        return None
    naming = settings.naming
    header = f"indigo names 3 {naming.handle_prefix} {naming.doi_prefix} {naming.naan}"
    return DiskIndex(settings.resolver_directory / "names", header)


def _is_sandbox(_method: str, path: str) -> bool:
    return path.startswith(tuple(f"{one}/" for one in _SANDBOX_PATHS.values()))


def _sandboxes(
    settings: Settings, platform: Platform, crossref: SandboxCrossref | None
) -> dict[str, FaultyRegistrar]:
    """The sandboxes of the registrars that are not set."""
    found: dict[str, FaultyRegistrar] = {}
    if settings.datacite_url is None:
        account = Account(settings.datacite_repository, settings.registrar_password, settings.datacite_prefixes)
        store = SandboxStore(platform.engine, platform.clock)
        found["datacite"] = FaultyRegistrar(create_sandbox(SandboxRegistrar(store, account)))
    if crossref is not None:
        found["crossref"] = FaultyRegistrar(create_crossref_sandbox(crossref))
    return found


def _crossref_sandbox(settings: Settings, platform: Platform) -> SandboxCrossref | None:
    if settings.crossref_url is not None or not settings.crossref_prefixes:
        return None
    account = CrossrefAccount(settings.crossref_login, settings.crossref_password(), settings.crossref_prefixes)
    return SandboxCrossref(CrossrefStore(platform.engine, platform.clock), account)
