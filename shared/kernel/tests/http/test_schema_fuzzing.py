from __future__ import annotations

import re
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest


@pytest.mark.slow
async def test_generated_requests_find_no_fault(served, lines, tmp_path: Path) -> None:
    """Schemathesis, a foreign reader of our OpenAPI document, looks for 5xx and for answers it does not declare."""
    process = await create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        "run",
        f"{served.base_url}/openapi.json",
        f"--url={served.base_url}",
        "--phases=examples,coverage,fuzzing",
        "--max-examples=15",
        "--seed=1",
        "--checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
        "unsupported_method,allow_header_conformance,negative_data_rejection",
        "--no-color",
        stdout=PIPE,
        stderr=STDOUT,
        cwd=tmp_path,
    )
    output, _ = await process.communicate()
    told = output.decode()
    assert process.returncode == 0, told
    assert re.search(r"Operations:\s+4 selected", told), told
