"""``python -m indigo_qos_gateway``: serve, relay, consume, migrate, openapi, asyncapi, settings."""

from __future__ import annotations

from indigo_kernel.cli import service_cli

from indigo_qos_gateway.bootstrap import build
from indigo_qos_gateway.settings import Settings

main = service_cli("qos-gateway", Settings, build)

if __name__ == "__main__":
    main()
