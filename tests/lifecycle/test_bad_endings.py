"""Stories in which a promise is not kept: the ledger says which one, and why, in words a person can act on."""

from __future__ import annotations

import csv
import json
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio
from indigo_suite.researcher import Researcher
from indigo_testing.deployments import Standalone, free_block, standalone
from indigo_testing.story import FOLDERS, decided, draft_plan, eventually, reserved

Document = dict[str, Any]


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Iterator[Standalone]:
    with standalone(tmp_path_factory.mktemp("suite"), free_block()) as running:
        yield running


@pytest.fixture
def document(example: Path) -> Document:
    return json.loads((example / "plan.json").read_text())


@pytest.fixture
def folders(example: Path, tmp_path: Path) -> dict[str, Path]:
    """What will be deposited for each output; a test may spoil it."""
    return {output: shutil.copytree(example / folder, tmp_path / output) for output, folder in FOLDERS.items()}


async def ledger_of(researcher: Researcher, document: Document, folders: dict[str, Path], tmp_path: Path):
    """Publish the plan, deposit the folders, and the ledger when every promise is kept or broken."""
    plan = await researcher.publish_plan(await draft_plan(researcher, document, tmp_path))
    drafts = await reserved(researcher, plan)
    for output, folder in folders.items():
        await researcher.deposit(drafts[output], folder)
    return await decided(researcher, plan)


def broken(ledger: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, promise in ledger.items() if promise["state"] == "broken"}


async def test_a_table_of_other_types_without_a_planned_column(
    researcher: Researcher, document: Document, folders: dict[str, Path], tmp_path: Path
) -> None:
    table = document["dmp"]["dataset"][0]["indigo"]["structure"]["tables"][0]
    table["fields"].append({"name": "observer", "type": "string", "required": True})
    file = folders["measurements"] / "penguins.csv"
    with file.open(newline="") as stream:
        rows = list(csv.reader(stream))
    year = rows[0].index("year")
    rows[4][year], rows[9][year] = "soon", "later"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)

    ledger = await ledger_of(researcher, document, folders, tmp_path)

    assert broken(ledger) == {"measurements/table"}
    evidence = ledger["measurements/table"]["evidence"]
    assert "type-error" in evidence["summary"]
    findings = evidence["details"]["findings"]
    wrong = [each for each in findings if each["location"].get("column") == "year"]
    assert {(each["location"]["row"], each["observed"]) for each in wrong} == {(5, "soon"), (10, "later")}
    assert any("observer" in json.dumps(each) and each["severity"] == "error" for each in findings)


async def test_a_record_under_another_license_than_planned(
    researcher: Researcher, document: Document, folders: dict[str, Path], tmp_path: Path
) -> None:
    plan = await researcher.publish_plan(await draft_plan(researcher, document, tmp_path))
    drafts = await reserved(researcher, plan)
    address = f"{researcher.at.repository}/api/records/{drafts['measurements']}/draft"

    async def minted() -> dict[str, Any]:
        return (await researcher.get(address))["pids"]

    await eventually(minted, bool, "identifiers of the draft")  # they change it, too
    draft = await researcher.call("GET", address)
    metadata = draft.json()["metadata"] | {"license": "https://creativecommons.org/licenses/by-nc/4.0/"}
    metadata["creators"] = [{"name": each["name"]} for each in metadata["creators"]]
    await researcher.call("PUT", address, json={"metadata": metadata}, headers={"if-match": draft.headers["etag"]})
    for output, folder in folders.items():
        await researcher.deposit(drafts[output], folder)

    ledger = await decided(researcher, plan)

    assert broken(ledger) == {"measurements/description"}
    evidence = ledger["measurements/description"]["evidence"]
    assert evidence["summary"] == "The record differs from the plan: license"
    (finding,) = evidence["details"]["findings"]
    assert "by-nc" in finding["observed"]
    assert "publicdomain/zero" in finding["expected"]


async def test_a_storage_class_nobody_offers(
    researcher: Researcher, document: Document, folders: dict[str, Path], tmp_path: Path
) -> None:
    document["dmp"]["dataset"][0]["indigo"]["storage"] = {"storage_class": "StoneTablet"}

    ledger = await ledger_of(researcher, document, folders, tmp_path)

    assert broken(ledger) == {"measurements/storage"}
    summary = ledger["measurements/storage"]["evidence"]["summary"]
    assert "No back-end offers StoneTablet" in summary
    assert "DiskAndTape" in summary  # what there is instead


PROGRAMS = {
    "other-result": """
        text = open("/software/expected/summary.csv").read()
        open("/output/summary.csv", "w").write(text.replace("Adelie,Biscoe,female,22", "Adelie,Biscoe,female,23"))
    """,
    "no-result": "pass",
    "failure": "raise SystemExit('the table is upside down')",
    "loop": """
        while True:
            pass
    """,
    "nap": """
        import time
        time.sleep(600)
    """,
    "memory": "list(range(10**9))",
    "disk": "open('/output/summary.csv', 'wb').write(bytes(64 << 20))",
    "forks": """
        import os
        while True:
            os.fork()
    """,
    "accounts": """
        import pathlib
        text = pathlib.Path("/etc/passwd").read_text() + "".join(map(str, pathlib.Path("/home").iterdir()))
        pathlib.Path("/output/summary.csv").write_text(text)
    """,
    "network": """
        import socket, sys
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2)
    """,
    "inputs": "open('/input/penguins.csv', 'w').write('nothing')",
}
"""Programs that do not do what the plan says, by the key of the test that runs them."""

REASONS = {
    "other-result": "1 of 1 outputs differ",
    "no-result": "1 of 1 outputs differ",
    "failure": "The command ended with exit code 1",
    "loop": "it used more than 1 seconds of CPU",
    "nap": "The command was stopped after 3 seconds",
    "memory": "The command ended with exit code 1",
    "disk": "The command ended with exit code 1",
    "forks": "The command",
    "accounts": "The command ended with exit code 1",
    "network": "The command ended with exit code 1",
    "inputs": "The command ended with exit code 1",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def processed(suite: Standalone, tmp_path_factory) -> dict[str, dict[str, Any]]:
    """The ledger of one plan with a processing test for every one of ``PROGRAMS``."""
    example = Path(__file__).parents[2] / "examples" / "penguins"
    folder: Path = tmp_path_factory.mktemp("programs")
    folders = {output: shutil.copytree(example / source, folder / output) for output, source in FOLDERS.items()}
    for name, text in PROGRAMS.items():
        (folders["summary-program"] / f"{name}.py").write_text(textwrap.dedent(text))
    document = json.loads((example / "plan.json").read_text())
    tests = document["dmp"]["dataset"][0]["indigo"]["tests"]
    (summary,) = [test for test in tests if test["key"] == "summary"]
    limits = {"wall_seconds": 3, "cpu_seconds": 1, "memory_mb": 128, "disk_mb": 1, "processes": 16}
    port = str(suite.addresses.port)
    tests += [
        summary | {"key": name, "command": ["python3", f"/software/{name}.py", port], "limits": limits}
        for name in PROGRAMS
    ]
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        researcher = Researcher(http, suite.endpoints, suite.token())
        return await ledger_of(researcher, document, folders, folder)


@pytest.mark.parametrize("program", sorted(PROGRAMS))
async def test_a_program_that_does_something_else(processed: dict[str, dict[str, Any]], program: str) -> None:
    promise = processed[f"measurements/{program}"]
    assert promise["state"] == "broken"
    assert REASONS[program] in promise["evidence"]["summary"]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("other-result", '"expected": 22.0'),
        ("memory", "MemoryError"),
        ("no-result", "the command did not write this output"),
        ("failure", "the table is upside down"),
        ("network", "Connection refused"),
        ("disk", "File too large"),
        ("inputs", "Read-only file system"),
    ],
)
async def test_the_ledger_tells_what_a_program_did(
    processed: dict[str, dict[str, Any]], program: str, told: str
) -> None:
    findings = processed[f"measurements/{program}"]["evidence"]["details"]["findings"]
    assert told in json.dumps(findings)


async def test_bad_programs_break_nothing_else(
    processed: dict[str, dict[str, Any]], researcher: Researcher, suite: Standalone
) -> None:
    assert broken(processed) == {f"measurements/{name}" for name in PROGRAMS}
    # The port in the command is this suite's own: programs of another suite on the machine are not meant.
    ours = [["python3", f"/software/{name}.py", str(suite.addresses.port)] for name in PROGRAMS]
    assert not [each.info for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] in ours]
    for service in ("dmp", "repository", "pid", "integrity", "qos"):
        assert (await researcher.call("GET", f"{getattr(researcher.at, service)}/readyz")).status_code == 200
