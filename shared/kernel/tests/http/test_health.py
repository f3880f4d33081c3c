from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from indigo_kernel.health import HealthChecks
from indigo_kernel.telemetry import HTTP_SERVER_SECONDS, ops_app


class Check:
    """A check that can be made to fail or to hang."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.hangs = False

    async def __call__(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.error:
            raise self.error


@pytest.fixture
def database(health: HealthChecks) -> Check:
    check = Check()
    health.add("database", check, seconds=0.01)
    return check


@pytest_asyncio.fixture(params=["public", "operations"])
async def probed(request, app, health: HealthChecks, database: Check) -> AsyncIterator[httpx.AsyncClient]:
    """The public port and the operations port answer probes alike."""
    target = app if request.param == "public" else ops_app("demo", health)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(target), base_url="http://demo.test") as http:
        yield http


async def told(http: httpx.AsyncClient, path: str) -> tuple[int, list[str]]:
    answer = await http.get(path)
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.status_code, answer.text.splitlines()


async def test_all_is_well(probed) -> None:
    assert await told(probed, "/livez") == (200, ["ok"])
    assert await told(probed, "/readyz") == (200, ["ok"])
    assert await told(probed, "/readyz?verbose") == (
        200,
        ["[+]ping ok", "[+]database ok", "readyz check passed"],
    )
    assert (await probed.head("/readyz")).status_code == 200


async def test_a_failure_is_told_without_its_reason(probed, database: Check, lines) -> None:
    database.error = ConnectionError("password of indigo at 10.0.0.7 is wrong")
    failed = (503, ["[+]ping ok", "[-]database failed: reason withheld", "readyz check failed"])
    assert await told(probed, "/readyz") == failed
    assert await told(probed, "/livez") == (200, ["ok"])
    assert any("10.0.0.7" in one.get("error", "") for one in lines)


async def test_a_check_that_hangs_fails(probed, database: Check) -> None:
    database.hangs = True
    assert (await told(probed, "/readyz"))[0] == 503


async def test_a_check_can_be_left_out(probed, database: Check) -> None:
    database.error = ConnectionError()
    assert await told(probed, "/readyz?exclude=database") == (200, ["ok"])
    assert (await told(probed, "/readyz?verbose&exclude=database&exclude=<b>no</b>"))[1] == [
        "[+]ping ok",
        "[+]database excluded: ok",
        'warn: some health checks cannot be excluded: no matches for "bnob"',
        "readyz check passed",
    ]


async def test_one_check_alone(probed, database: Check) -> None:
    database.error = ConnectionError()
    assert (await told(probed, "/readyz/database"))[0] == 503
    assert await told(probed, "/readyz/ping") == (200, ["ok"])
    assert (await told(probed, "/readyz/nothing"))[0] == 404
    assert (await told(probed, "/livez/database"))[0] == 404


async def test_checks_run_side_by_side() -> None:
    health = HealthChecks()
    both = asyncio.Barrier(2)
    health.add("one", both.wait)
    health.add("two", both.wait)
    assert (await health.answer("readyz")).status_code == 200


def test_names_are_unique(health: HealthChecks, database: Check) -> None:
    with pytest.raises(ValueError, match="named database already"):
        health.add("database", database)


async def test_metrics_are_on_the_operations_port_only(client, health) -> None:
    HTTP_SERVER_SECONDS.labels("demo", "GET", "200", "/metrics-test", "http", "").observe(0.02)
    refreshed = []

    async def refresh() -> None:
        refreshed.append(1)

    async def broken() -> None:
        raise ConnectionError("no database")

    ops = ops_app("demo", health, refresh=[broken, refresh])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(ops), base_url="http://ops.test") as http:
        answer = await http.get("/metrics")
        assert answer.status_code == 200
        assert 'http_route="/metrics-test"' in answer.text
        assert 'le="0.025"' in answer.text
        assert 'indigo_metrics_refresh_failures_total{service="demo"}' in answer.text
        assert refreshed == [1]
        openmetrics = await http.get("/metrics", headers={"accept": "application/openmetrics-text"})
        assert openmetrics.text.endswith("# EOF\n")
        assert (await http.post("/metrics")).status_code == 405
        assert (await http.get("/secrets")).status_code == 404
    assert (await client.get("/metrics")).status_code == 404
