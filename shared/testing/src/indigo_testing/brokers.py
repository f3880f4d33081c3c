"""The RabbitMQ the tests run against, private to one run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indigo_dev.rabbitmq import PrivateRabbit


@contextmanager
def private_rabbit() -> Iterator[PrivateRabbit]:
    """A running node in a directory of its own that is gone afterwards.

    Raises ``indigo_dev.processes.ServerError`` with the command to run when there can be none.
    """
    directory = Path(tempfile.mkdtemp(prefix="indigo-test-rabbitmq-"))
    try:
        with PrivateRabbit(directory) as rabbit:
            yield rabbit
    finally:
        shutil.rmtree(directory)
