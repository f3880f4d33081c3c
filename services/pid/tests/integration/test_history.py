"""Histories as the service tells them, and as others check them."""

from __future__ import annotations

import re
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from indigo_contracts.repository import RecordPublished, RecordState, RecordUpdated

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> Path:
    """The program in the README."""
    (found,) = re.findall(r"```python\n(# check_history.*?)```", README.read_text(), re.DOTALL)
    path = tmp_path_factory.mktemp("script") / "check_history.py"
    path.write_text(found)
    return path


async def check(script: Path, *arguments: str) -> tuple[int | None, str]:
    process = await create_subprocess_exec(sys.executable, "-I", str(script), *arguments, stdout=PIPE, stderr=PIPE)
    said, complained = await process.communicate()
    return process.returncode, (said + complained).decode()


async def test_anybody_checks_a_history_with_the_program_in_the_readme(pid, record, script):
    live = {"state": RecordState.PUBLISHED, "title": "Größe \u2028 日本 😀"}
    await pid.deliver(RecordPublished(record=record(**live)))
    handle = (await pid.identifier_of("r1"))["handle"]
    kept = (await pid.http.get(f"/api/identifiers/{handle}/history")).json()["head"]
    await pid.deliver(RecordUpdated(record=record(**live, version=2, keywords=["é"], edition=3)))
    base = str(pid.http.base_url)
    code, told = await check(script, base, handle, kept)
    assert (code, told.partition(",")[0]) == (0, f"{handle}: 3 entries hold")
    code, told = await check(script, base, handle, "f" * 64)
    assert code == 1
    assert "not in this history" in told
    for statement, complaint in (
        ("UPDATE identifiers SET record = jsonb_set(record, '{title}', '\"Mine\"')", "the record is not what"),
        ("UPDATE identifiers SET target = 'https://evil.example.org/'", "target is not what"),
        (
            "UPDATE identifier_history SET content = replace(content, 'records', 'secrets') WHERE version = 2",
            "the content was changed",
        ),
        ("DELETE FROM identifier_history WHERE version = 2", "missing or changed"),
    ):
        async with pid.runtime.database.engine.begin() as conn:
            await conn.execute(sa.text(statement))
        assert (await pid.http.get(f"/api/identifiers/{handle}/history")).json()["broken"]
        code, told = await check(script, base, handle)
        assert code == 1, told
        assert complaint in told


async def test_a_clock_that_goes_back_is_marked_and_the_order_stays(pid):
    made = await pid.mint()
    url = f"/api/identifiers/{made['handle']}"
    headers = {**pid.auth("pid:mint"), "if-match": "*"}
    for number, step in enumerate((timedelta(minutes=9), timedelta(minutes=-8))):
        pid.clock.advance(step)
        changed = await pid.http.patch(url, json={"target": f"https://data.example.org/{number}"}, headers=headers)
        assert changed.status_code == 200, changed.text
    told = (await pid.http.get(f"{url}/history")).json()
    assert told["broken"] is None
    assert [one["version"] for one in told["entries"]] == [1, 2, 3]
    assert [one.partition(" says")[0] for one in told["doubts"]] == ["version 2", "version 3"]
    assert (await pid.http.get(f"/{made['handle']}")).headers["location"] == "https://data.example.org/1"
