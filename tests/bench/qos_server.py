"""The server of the gateway's benchmark: ``qos_server.py PORT SETTINGS DATABASE_URL`` (settings as JSON)."""

from __future__ import annotations

import json
import sys

import uvicorn
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.clock import SystemClock
from indigo_kernel.http.server import started
from indigo_kernel.logging import configure_logging
from indigo_qos_gateway.bootstrap import build
from indigo_qos_gateway.settings import Settings


def main(port: int, settings: str, database_url: str) -> None:
    configure_logging(service="qos-gateway", level="info")
    clock = SystemClock()
    # secrets do not come through JSON
    known = {**json.loads(settings), "database_url": database_url, "secret_key": "a key for benchmarks only"}
    runtime = build(
        Settings(**known),
        clock=clock,
        bus=MemoryBus(clock=clock),
        verifier=TokenVerifier([], "indigo", clock),
    )
    config = uvicorn.Config(runtime.api, port=port, lifespan="off", access_log=False, log_config=None)
    started()
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
