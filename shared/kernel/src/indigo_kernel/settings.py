"""Settings every service has; a service adds its own in a frozen subclass with its environment prefix."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import AnyHttpUrl, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS = Path("/run/secrets")


def settings_config(service: str) -> SettingsConfigDict:
    """``INDIGO_<SERVICE>_<NAME>`` from the environment, or a file of that name below ``/run/secrets``."""
    return SettingsConfigDict(
        env_prefix=f"INDIGO_{service.upper().replace('-', '_')}_",
        env_nested_delimiter="__",
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
        frozen=True,
        extra="forbid",
    )


class ServiceSettings(BaseSettings):
    """What a service must know to run. Values come from the environment; secrets may be files."""

    database_url: SecretStr = Field(
        description="PostgreSQL of this service, `postgresql+asyncpg://…`",
        examples=["postgresql+asyncpg://indigo@localhost/indigo"],
    )
    amqp_url: SecretStr | None = Field(
        default=None, description="RabbitMQ, `amqp://…`; required by `serve`, `relay` and `consume`"
    )
    public_url: AnyHttpUrl = Field(
        description="address under which others reach this service", examples=["https://service.example.org"]
    )
    secret_key: SecretStr = Field(
        description="signs page cursors; the same on every replica", examples=["an-example-is-not-a-secret"]
    )
    trusted_issuers: list[str] = Field(
        default_factory=list, description="OIDC issuers whose tokens are accepted, letter by letter as in `iss`"
    )
    issuer_scopes: dict[str, list[str]] = Field(
        default_factory=dict,
        description="scopes an issuer may give, as JSON by issuer: a community's should not make operators;"
        " an issuer that is not in it may give all",
    )
    audience: str = Field(default="indigo", description="audience a token must be meant for")
    token_url: AnyHttpUrl | None = Field(
        default=None, description="token endpoint for calls to other services (client credentials)"
    )
    client_id: str | None = Field(default=None, description="this service's OAuth client")
    client_secret: SecretStr | None = Field(default=None, description="secret of that client")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, description="port to listen on")
    ops_port: int | None = Field(default=None, description="port of /metrics and the probes; none when absent")
    log_level: str = Field(default="info", description="debug, info, warning or error")

    @property
    def base_url(self) -> str:
        """``public_url`` without a trailing slash."""
        return str(self.public_url).rstrip("/")


S = TypeVar("S", bound=ServiceSettings)


def example_settings(model: type[S]) -> S:
    """Settings out of the required fields' examples, for what needs a service but no outside world (OpenAPI)."""
    values = {name: field.examples[0] for name, field in model.model_fields.items() if field.examples}
    return model.model_validate({"amqp_url": "amqp://localhost", **values})


def settings_table(model: type[ServiceSettings]) -> str:
    """A Markdown table of a service's settings, for its README."""
    prefix = str(model.model_config.get("env_prefix", ""))
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for name, field in model.model_fields.items():
        rows.append(f"| `{prefix}{name.upper()}` | {_default(field)} | {field.description} |")
    return "\n".join(rows)


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "none" if value in (None, [], {}) else f"`{value}`"
