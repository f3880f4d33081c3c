"""The same story in one process, on a real RabbitMQ and a PostgreSQL that was there before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from indigo_testing.brokers import private_rabbit
from indigo_testing.deployments import Standalone, free_block, standalone
from indigo_testing.story import LifeCycleStory

pytestmark = pytest.mark.amqp


@pytest.fixture(scope="module")
def suite(tmp_path_factory, postgres_server) -> Iterator[Standalone]:
    with private_rabbit() as rabbit:
        environment = {"INDIGO_AMQP_URL": rabbit.url, "INDIGO_DATABASE_URL": postgres_server}
        with standalone(tmp_path_factory.mktemp("suite"), free_block(), environment) as running:
            yield running


class TestOnServers(LifeCycleStory):
    pass
