"""What tests of back-ends share."""

import uuid
from datetime import UTC, datetime

import httpx
import pytest
from indigo_qos_gateway.adapters.s3.api import Bucket
from indigo_qos_gateway.adapters.s3.signing import EMPTY, Keys, signed
from indigo_testing.faults import FaultyTransport


class FreshBucket:
    """A fresh bucket."""

    def __init__(self, endpoint, directory):
        (directory / "access").write_text("AK\n")
        (directory / "secret").write_text("SK\n")
        self.bucket = Bucket(
            endpoint, f"b-{uuid.uuid4()}", "us-east-1", directory / "access", directory / "secret"
        )
        self.transport = FaultyTransport(httpx.AsyncHTTPTransport())

    async def create(self):
        url = f"{self.bucket.endpoint}/{self.bucket.name}"
        async with httpx.AsyncClient() as http:
            headers = signed(Keys("AK", "SK"), "us-east-1", datetime.now(UTC), "PUT", url, {}, EMPTY)
            (await http.put(url, headers=headers)).raise_for_status()


@pytest.fixture
def make_bucket(tmp_path):
    """Makes the address of a bucket that is not there yet: ``make_bucket(endpoint)``."""
    return lambda endpoint: FreshBucket(endpoint, tmp_path)
