"""Command line of the plan service: serve, relay, consume, migrate, openapi, asyncapi, settings."""

from __future__ import annotations

from indigo_kernel.cli import service_cli

from indigo_dmp.bootstrap import build
from indigo_dmp.settings import Settings

main = service_cli("dmp", Settings, build)

if __name__ == "__main__":
    main()
