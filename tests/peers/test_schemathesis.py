"""Schemathesis reads each running service's OpenAPI document and tries what it allows, and what it does not.

The requests know the ids of real plans, records and runs, so that they get past the first 404.
"""

from __future__ import annotations

import json
import re
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from indigo_suite.researcher import Plan, Researcher
from indigo_testing.deployments import Standalone, free_block, standalone
from indigo_testing.story import FOLDERS, draft_plan, reserved, settled

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "penguins"
SEED = 20_260_301
EXAMPLES = 12
"""Generated requests per operation, besides those at the borders of its schema."""

OPERATIONS = {"dmp": 24, "repository": 28, "pid": 16, "integrity": 11, "qos": 17}
"""How many operations a service has at least: a document that lost some would be tested too little."""

CHECKS = ["not_a_server_error", "response_schema_conformance"]
MORE_CHECKS = {"qos": ["content_type_conformance"]}
"""Where every media type that is answered is in the document."""

Known = dict[str, list[str]]
"""Values for a parameter, by its place and name."""


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Iterator[Standalone]:
    with standalone(tmp_path_factory.mktemp("suite"), free_block()) as running:
        yield running


async def written(researcher: Researcher, folder: Path) -> Plan:
    document = json.loads((EXAMPLE / "plan.json").read_text())
    return await draft_plan(researcher, document, folder)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def known(suite: Standalone, tmp_path_factory) -> dict[str, Known]:
    """A draft, a published plan with drafts, and one with records that are tested and stored; their ids."""
    folder = tmp_path_factory.mktemp("plans")
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        researcher = Researcher(http, suite.endpoints, suite.token())
        draft = await written(researcher, folder)
        opened = await researcher.publish_plan(await written(researcher, folder))
        done = await researcher.publish_plan(await written(researcher, folder))
        drafts = [*(await reserved(researcher, opened)).values()]
        records = await reserved(researcher, done)
        for output, source in FOLDERS.items():
            await researcher.deposit(records[output], EXAMPLE / source)
        for record in drafts:
            url = f"{researcher.at.repository}/api/records/{record}/draft/files"
            await researcher.call("POST", url, json=[{"key": "penguins.csv"}])
        queue = {"content": b"{}", "headers": {"content-type": "application/cdmi-queue"}}
        await researcher.call("PUT", f"{researcher.at.qos}/inbox", **queue)
        promises = await settled(researcher, done)
        runs = (await researcher.get(f"{researcher.at.integrity}/api/runs"))["items"]
        transitions = (await researcher.get(f"{researcher.at.qos}/api/transitions"))["items"]
        events = {
            service: (await researcher.get(f"{getattr(researcher.at, service)}/events"))["items"]
            for service in OPERATIONS
        }
    plans = [plan.plan_id for plan in (draft, opened, done)]
    ids = [*drafts, *records.values()]
    own: dict[str, Known] = {
        "dmp": {
            "path.plan_id": plans,
            "path.dmp_id": plans,
            "path.key": [*FOLDERS],
            "path.promise_id": [promise["promise_id"] for promise in promises.values()],
        },
        "repository": {"path.record_id": ids, "path.key": ["penguins.csv", "summarize.py"], "query.plan": plans},
        # A handle is never without a slash, and Schemathesis leaves out path parameters with one.
        "pid": {},
        "integrity": {"path.run_id": [run["run_id"] for run in runs], "body.record_id": ids},
        "qos": {
            "path.transition_id": [each["transition_id"] for each in transitions],
            "path.path": ["records", "dataobject", "container", "inbox", "cdmi_domain_members"],
            "body.path": [f"/records/{each}" for each in ids],
            "body.target_class": ["DiskOnly", "DiskAndTape", "TapeOnly"],
        },
    }
    for service, values in own.items():
        values["path.event_id"] = [event["id"] for event in events[service]][:5]
        values["header.If-Match"] = ["*", '"v1"', '"v2"']
        values["header.Idempotency-Key"] = ['"one"', '"two"']
    return own


def configuration(service: str, values: Known) -> str:
    """A ``schemathesis.toml`` that takes known values two times out of three."""
    lines = ["[dictionaries]"]
    lines += [f"{json.dumps(name)} = {{ values = {json.dumps(some)} }}" for name, some in values.items()]
    lines += ["[parameters]"]
    lines += [f"{json.dumps(name)} = {{ dictionary = {json.dumps(name)}, probability = 0.66 }}" for name in values]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("service", OPERATIONS)
async def test_generated_requests_find_no_fault(
    suite: Standalone, known: dict[str, Known], service: str, tmp_path: Path
) -> None:
    """No server error, and every answer is what the document says."""
    (tmp_path / "schemathesis.toml").write_text(configuration(service, known[service]))
    url = getattr(suite.endpoints, service)
    process = await create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{url}/openapi.json",
        f"--url={url}",
        f"--header=Authorization: Bearer {suite.token()}",
        "--phases=examples,coverage,fuzzing",
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
        f"--checks={','.join([*CHECKS, *MORE_CHECKS.get(service, ())])}",
        "--suppress-health-check=filter_too_much",  # it learns DOIs, and leaves out path parameters with a slash
        "--no-color",
        stdout=PIPE,
        stderr=STDOUT,
        cwd=tmp_path,
    )
    output, _ = await process.communicate()
    told = output.decode()
    assert process.returncode == 0, told
    tested = re.search(r"Tested: (\d+)", told)
    assert tested, told
    assert int(tested[1]) >= OPERATIONS[service], told
