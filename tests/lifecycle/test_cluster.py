"""The same story with every service as three processes: serve, relay, consume."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from fastapi import FastAPI
from indigo_dev.databases import ensure_databases
from indigo_dev.postgres import EmbeddedPostgres
from indigo_kernel.auth.issuer_routes import issuer_routes
from indigo_kernel.http.server import listen, serving
from indigo_suite.layout import SERVICES
from indigo_suite.suite import make_issuer
from indigo_testing.brokers import private_rabbit
from indigo_testing.deployments import Cluster, free_block
from indigo_testing.directories import server_directory
from indigo_testing.story import LifeCycleStory
from starlette.applications import Starlette
from starlette.routing import Mount

pytestmark = [pytest.mark.amqp, pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def suite(tmp_path_factory) -> AsyncIterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("cluster")
    with contextlib.ExitStack() as stack:
        rabbit = stack.enter_context(private_rabbit())
        directory = stack.enter_context(server_directory("postgres", EmbeddedPostgres))
        postgres = stack.enter_context(EmbeddedPostgres(directory, durable=False))
        cluster = Cluster(folder, free_block(), postgres.server_url, rabbit.url)
        await ensure_databases(
            postgres.server_url, [f"indigo_{service.replace('-', '_')}" for service in SERVICES]
        )
        tokens = FastAPI()
        tokens.include_router(issuer_routes(make_issuer(cluster.data, cluster.addresses)))
        front = Starlette(routes=[Mount("/issuer", tokens)])
        async with serving(front, listen("127.0.0.1", cluster.addresses.port)):
            try:
                await asyncio.to_thread(cluster.start)
                yield cluster
            finally:
                statuses = await asyncio.to_thread(cluster.stop)
        assert set(statuses) == {0}


class TestCluster(LifeCycleStory):
    pass
