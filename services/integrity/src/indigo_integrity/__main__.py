"""``python -m indigo_integrity``: serve, relay, consume, migrate, openapi, asyncapi, settings."""

from __future__ import annotations

from indigo_kernel.cli import service_cli

from indigo_integrity.bootstrap import build
from indigo_integrity.settings import Settings

main = service_cli("integrity", Settings, build)

if __name__ == "__main__":
    main()
