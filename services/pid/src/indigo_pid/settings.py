"""Settings of the pid service."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Self

from indigo_kernel.settings import ServiceSettings, settings_config
from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from indigo_pid.application.prefixes import Group, Prefixes
from indigo_pid.domain.names import Naming

SANDBOX_PATH = "/registrar"
TEST_PREFIX = "10.5072"
"""DataCite's prefix for tests; names under it never resolve at doi.org."""

_REAL_HOSTS = frozenset({"api.datacite.org"})


_HANDLE_PREFIX = r"[0-9]+(\.[0-9A-Za-z]+)+"


class GroupSetting(BaseModel):
    """A group, and the issuer whose tokens say who is in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str
    group: str


class Settings(ServiceSettings):
    """What the pid service must know to run."""

    model_config = settings_config("pid")

    handle_prefix: str = Field(
        default="21.T99999", pattern=f"^{_HANDLE_PREFIX}$", description="prefix of the internal PIDs"
    )
    doi_prefix: str = Field(
        default=TEST_PREFIX,
        pattern=r"^10\.[0-9]{4,9}$",
        description="prefix of the DOIs, a test prefix by default",
    )
    naan: str = Field(
        default="99999",
        pattern=r"^[0-9bcdfghjkmnpqrstvwxz]{5,16}$",
        description="name assigning authority number of the ARKs, the test number by default",
    )
    prefix_groups: dict[str, list[GroupSetting]] = Field(
        default_factory=dict,
        description="handle prefixes and the groups whose members may mint under them,"
        ' `{"21.T14999": [{"issuer": "https://iam.example.org/", "group": "/lab"}]}`; the prefix above is for'
        " everybody who may mint unless it is here",
    )
    target_hosts: list[str] = Field(
        default_factory=list,
        description="hosts an identifier may lead to, `*.x` for all below x; any host when empty",
    )
    datacite_url: AnyHttpUrl | None = Field(
        default=None, description="REST API of the registrar; the sandbox in this service when absent"
    )
    datacite_repository: str = Field(
        default="INDIGO.REPO", description="repository account at the registrar, and the sandbox's account"
    )
    datacite_password: SecretStr | None = Field(
        default=None, description="password of that account; made from the secret key for the sandbox when absent"
    )
    datacite_seconds: float = Field(
        default=20.0, gt=0, description="seconds to wait for an answer of the registrar"
    )

    datacite_rate: float = Field(
        default=1.5,
        gt=0,
        description="requests to the registrar a second from each `consume` process, after a burst of 50; the"
        " sandbox in this service takes what comes",
    )
    resolver_directory: Path | None = Field(
        default=None,
        description="folder of this process alone where the resolver keeps all names, to answer without a database"
        " even after a restart; in memory only when absent",
    )
    resolver_names: int = Field(
        default=5_000_000,
        gt=0,
        description="names the resolver holds in memory at most, about 200 bytes each; others it looks up",
    )

    @model_validator(mode="after")
    def _registrar_is_whole(self) -> Self:
        if self.datacite_url is None:
            return self
        if self.datacite_password is None:
            raise ValueError("Set INDIGO_PID_DATACITE_PASSWORD, the registrar's password for this repository")
        if self.datacite_url.host in _REAL_HOSTS and self.doi_prefix == TEST_PREFIX:
            raise ValueError(
                "Set INDIGO_PID_DOI_PREFIX: names under the test prefix must not reach DataCite itself"
            )
        return self

    @field_validator("prefix_groups")
    @classmethod
    def _prefixes_are_handles(cls, value: dict[str, list[GroupSetting]]) -> dict[str, list[GroupSetting]]:
        for prefix in value:
            if not re.fullmatch(_HANDLE_PREFIX, prefix) or prefix.startswith("10."):
                raise ValueError(f"{prefix} is not the prefix of handles; those of DOIs belong to a registrar")
        return value

    @property
    def naming(self) -> Naming:
        more = tuple(prefix for prefix in self.prefix_groups if prefix != self.handle_prefix)
        return Naming(self.handle_prefix, self.doi_prefix, self.naan, self.base_url, more)

    @property
    def prefixes(self) -> Prefixes:
        groups = {
            prefix: frozenset(Group(one.issuer, one.group) for one in allowed)
            for prefix, allowed in self.prefix_groups.items()
        }
        return Prefixes(self.handle_prefix, groups)

    @property
    def registrar_url(self) -> str:
        """Base URL of the registrar's API, without a slash at the end."""
        return str(self.datacite_url).rstrip("/") if self.datacite_url else self.base_url + SANDBOX_PATH

    @property
    def registrar_password(self) -> str:
        """The password at the registrar."""
        if self.datacite_password is not None:
            return self.datacite_password.get_secret_value()
        text = f"sandbox registrar {self.secret_key.get_secret_value()}"
        return hashlib.sha256(text.encode()).hexdigest()
