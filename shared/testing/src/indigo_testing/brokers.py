"""A RabbitMQ for tests, private to one run or, where a test breaks it, to one test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from indigo_dev.rabbitmq import PrivateRabbit

from indigo_testing.directories import server_directory


@contextmanager
def private_rabbit() -> Iterator[PrivateRabbit]:
    """A running node in a directory of its own that is gone afterwards.

    Raises ``indigo_dev.processes.ServerError`` with the command to run when there can be none.
    """
    with server_directory("rabbitmq", PrivateRabbit) as directory, PrivateRabbit(directory) as rabbit:
        yield rabbit
