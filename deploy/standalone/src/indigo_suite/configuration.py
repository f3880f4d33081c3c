"""How the standalone suite configures each service: addresses, secrets and folders of one data directory."""

from __future__ import annotations

from typing import Any

from indigo_kernel.settings import ServiceSettings

from indigo_suite.layout import Addresses, DataDirectory
from indigo_suite.services import SERVICE_KINDS

AUDIENCE = "indigo"


def settings_of(
    service: str, data: DataDirectory, addresses: Addresses, *, database_url: str, amqp_url: str | None
) -> ServiceSettings:
    """The settings of a service in the suite. What is not fixed here can still be set in the environment."""
    values = values_of(service, data, addresses, database_url=database_url, amqp_url=amqp_url)
    return SERVICE_KINDS[service].settings(**values)


def values_of(
    service: str, data: DataDirectory, addresses: Addresses, *, database_url: str, amqp_url: str | None
) -> dict[str, Any]:
    """What the suite fixes for a service, by the names of its settings."""
    return {
        "database_url": database_url,
        "amqp_url": amqp_url,
        "public_url": addresses.of(service),
        "secret_key": data.secret(f"key-{service}"),
        "audience": AUDIENCE,
        "port": addresses.port_of(service),
        **_own(service, data, addresses),
    }


def _own(service: str, data: DataDirectory, addresses: Addresses) -> dict[str, Any]:
    match service:
        case "repository":
            return {"storage_dir": data.repository}
        case "pid":
            # a folder of the one process that resolves: names are known before PostgreSQL is up
            return {"resolver_directory": data.names}
        case "integrity":
            return {"repository_url": addresses.of("repository"), "work_dir": data.integrity}
        case "qos-gateway":
            return {
                "repository_url": addresses.of("repository"),
                "posix_disk_dir": data.disk,
                "posix_tape_dir": data.tape,
            }
        case _:
            return {}
