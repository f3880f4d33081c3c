"""``python -m indigo_pid``: the service's verbs."""

from __future__ import annotations

from indigo_kernel.cli import service_cli

from indigo_pid.bootstrap import build
from indigo_pid.settings import Settings

main = service_cli("pid", Settings, build)

if __name__ == "__main__":
    main()
