"""The repository's command line: ``python -m indigo_repository <verb>``."""

from indigo_kernel.cli import service_cli

from indigo_repository.bootstrap import build
from indigo_repository.settings import Settings

main = service_cli("repository", Settings, build)

if __name__ == "__main__":
    main()
