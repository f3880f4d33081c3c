from __future__ import annotations

import re
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest


@pytest.mark.slow
async def test_generated_requests_find_no_fault(pid, tmp_path) -> None:
    """Schemathesis looks for 5xx, undeclared answers and accepted nonsense below ``/api`` and at the resolver."""
    token = pid.auth("pid:mint", "operator")["authorization"]
    process = await create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{pid.http.base_url}/openapi.json",
        f"--url={pid.http.base_url}",
        f"--header=Authorization: {token}",
        "--include-path-regex=^/(api/|[{]name[}])",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=15",
        "--seed=1",
        "--checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        "--no-color",
        stdout=PIPE,
        stderr=STDOUT,
        cwd=tmp_path,
    )
    output, _ = await process.communicate()
    told = output.decode()
    assert process.returncode == 0, told
    selected = re.search(r"Operations:\s+(\d+) selected", told)
    assert selected and int(selected[1]) >= 10, told
