"""gfal2's own QoS calls against the gateway on a real port.

``INDIGO_TEST_GFAL_PYTHON`` names an interpreter that has a ``gfal2`` module (xgfalclient, or Debian's python3-gfal2).
"""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from indigo_kernel.http.server import listen, serving

URI = "/cdmi_capabilities/dataobject/"


@pytest.fixture(scope="module")
def gfal_python():
    python = os.environ.get("INDIGO_TEST_GFAL_PYTHON", sys.executable)
    found = subprocess.run([python, "-c", "import gfal2"], capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"no gfal2 in {python}; run: {python} -m pip install xgfalclient")
    return python


async def test_gfal_checks_and_changes_a_class(qos, gfal_python):
    qos.clock.advance(datetime.now(UTC) - qos.clock.now())  # the client looks at its token's times
    await qos.store("/data/f1", b"x" * 10_000)
    bound = listen("127.0.0.1", 0)
    root = f"http://127.0.0.1:{bound.getsockname()[1]}"
    token = qos.issuer.token("ana", ["qos:change"])
    async with serving(qos.runtime.api, bound):
        client = await asyncio.create_subprocess_exec(
            gfal_python,
            Path(__file__).with_name("gfal_steps.py"),
            root,
            "/data/f1",
            URI + "DiskAndTape",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "BEARER_TOKEN": token},
        )
        try:
            async with asyncio.timeout(60):
                first = await client.stdout.readline()
                assert first, (await client.stderr.read()).decode()
                await qos.work_off()
                output, errors = await client.communicate(b"go on\n")
        finally:
            if client.returncode is None:
                client.kill()
                await client.wait()
    assert client.returncode == 0, errors.decode()
    told = json.loads(first)
    assert sorted(told["classes"]) == [URI + name for name in ("DiskAndTape", "DiskOnly", "TapeOnly")]
    assert told["before"] == URI + "DiskOnly"
    assert told["allowed"] == [URI + "DiskAndTape", URI + "TapeOnly"]
    assert told["target"] == URI + "DiskAndTape"
    assert json.loads(output) == {"after": URI + "DiskAndTape"}
