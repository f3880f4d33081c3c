"""What tests of back-ends share."""

import uuid
from contextlib import contextmanager

import httpx
import pytest
from indigo_qos_gateway.adapters.commands import Commands
from indigo_qos_gateway.adapters.s3.api import Bucket
from indigo_testing.fakes.programs import install
from indigo_testing.faults import FaultyTransport
from indigo_testing.object_stores import make_bucket, write_keys


class FreshBucket:
    """A fresh bucket."""

    def __init__(self, endpoint, directory):
        write_keys(directory)
        self.bucket = Bucket(
            endpoint, f"b-{uuid.uuid4()}", "us-east-1", directory / "access", directory / "secret"
        )
        self.transport = FaultyTransport(httpx.AsyncHTTPTransport())

    async def create(self):
        await make_bucket(self.bucket.endpoint, self.bucket.name)


class Programs:
    """The programs of one system and what can be wrong with them."""

    def __init__(self, directory, script, names):
        self.directory = directory / "bin"
        self.state = directory / "state"
        self.names = names
        self.files = directory / "fs"
        self.files.mkdir()
        install(self.directory, script, names, self.state)
        self.commands = Commands("hsm", self.directory, seconds=10)

    @contextmanager
    def saying(self, text):
        """Every program prints this and ends well."""
        with self._replaced(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n"):
            yield

    @contextmanager
    def hanging(self):
        self.commands._seconds = 0.2
        with self._replaced("#!/bin/sh\nsleep 600 & wait\n"):
            yield
        self.commands._seconds = 10

    @contextmanager
    def broken(self):
        (self.state / "broken").write_text("ANS1017E Session rejected: TCP/IP connection failure.")
        yield
        (self.state / "broken").unlink()

    @contextmanager
    def missing(self):
        real = self.directory.rename(self.directory.with_name("gone"))
        yield
        real.rename(self.directory)

    @contextmanager
    def _replaced(self, text):
        before = {name: (self.directory / name).read_text() for name in self.names}
        for name in self.names:
            (self.directory / name).write_text(text)
        try:
            yield
        finally:
            for name, content in before.items():
                (self.directory / name).write_text(content)


@pytest.fixture
def make_programs(tmp_path):
    """Installs the programs of a fake: ``make_programs(script, names)``."""
    return lambda script, names: Programs(tmp_path, script, names)


@pytest.fixture(name="make_bucket")
def make_fresh_bucket(tmp_path):
    """Makes the address of a bucket that is not there yet: ``make_bucket(endpoint)``."""
    return lambda endpoint: FreshBucket(endpoint, tmp_path)
