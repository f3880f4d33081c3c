"""Settings of the pid service."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from indigo_contracts.repository import RecordKind
from indigo_kernel.settings import ServiceSettings, settings_config
from pydantic import (
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from indigo_pid.application.prefixes import Group, Prefixes
from indigo_pid.crossref.batches import Depositor
from indigo_pid.domain.names import Naming

SANDBOX_PATH = "/registrar"
CROSSREF_SANDBOX_PATH = "/crossref"
TEST_PREFIX = "10.5072"
"""DataCite's prefix for tests; names under it never resolve at doi.org."""

_REAL_HOSTS = frozenset({"api.datacite.org"})
_REAL_CROSSREF = "doi.crossref.org"


_HANDLE_PREFIX = r"[0-9]+(\.[0-9A-Za-z]+)+"
_EMAIL = r"^[^@\s]+@[^@\s]+$"

DoiPrefix = Annotated[str, StringConstraints(pattern=r"^10\.[0-9]{4,9}$")]
RegistrarName = Literal["datacite", "crossref"]


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
    doi_prefix: DoiPrefix = Field(default=TEST_PREFIX, description="prefix of the DOIs, a test prefix by default")
    doi_kinds: dict[RecordKind, DoiPrefix] = Field(
        default_factory=dict,
        description='kinds of records whose DOIs get another prefix, `{"dmp": "10.5555"}`',
    )
    doi_registrars: dict[DoiPrefix, RegistrarName] = Field(
        default_factory=dict,
        description='registrars of DOI prefixes, `{"10.5555": "crossref"}`; others are DataCite\'s',
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
    prefix_hosts: dict[str, list[str]] = Field(
        default_factory=dict,
        description="hosts for identifiers under some handle prefixes instead of those,"
        ' `{"21.T14999": ["*.lab.example.org"]}`',
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
        description="requests to the registrar a second, of all processes together, after a burst of 50; the"
        " sandbox in this service takes what comes",
    )
    crossref_url: AnyHttpUrl | None = Field(
        default=None,
        description="Crossref's deposit system, `https://doi.crossref.org`, or `https://test.crossref.org` for"
        " tests; the sandbox in this service when absent",
    )
    crossref_rest_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("https://api.crossref.org"),
        description="Crossref's REST API, where registered DOIs are listed; not asked while the sandbox is used",
    )
    crossref_login: str = Field(
        default="indigo", description="`login_id` at Crossref: a role, or `name@example.org/role`"
    )
    crossref_password_file: Path | None = Field(
        default=None,
        description="file with the password of that login, read for each request; for the sandbox one is made"
        " from the secret key when absent",
    )
    crossref_depositor: str = Field(
        default="INDIGO", min_length=1, max_length=130, description="who deposits, as deposits say it"
    )
    crossref_email: str = Field(
        default="depositor@example.org",
        pattern=_EMAIL,
        min_length=6,
        max_length=200,
        description="where Crossref sends its reports",
    )
    crossref_registrant: str = Field(
        default="INDIGO", min_length=1, max_length=255, description="the organization that owns what is deposited"
    )
    crossref_database: str = Field(
        default="INDIGO Preservation Repository",
        min_length=1,
        description="the title of the database all deposited datasets belong to",
    )
    crossref_seconds: float = Field(default=30.0, gt=0, description="seconds to wait for an answer of Crossref")
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
        if self.datacite_url.host in _REAL_HOSTS and TEST_PREFIX in self.datacite_prefixes:
            raise ValueError(
                "Set INDIGO_PID_DOI_PREFIX: names under the test prefix must not reach DataCite itself"
            )
        return self

    @model_validator(mode="after")
    def _crossref_is_whole(self) -> Self:
        if self.crossref_url is None:
            return self
        if self.crossref_password_file is None:
            raise ValueError("Set INDIGO_PID_CROSSREF_PASSWORD_FILE, a file with the password of the login")
        if self.crossref_email == type(self).model_fields["crossref_email"].default:
            raise ValueError("Set INDIGO_PID_CROSSREF_EMAIL: Crossref sends its reports there")
        if self.crossref_url.host == _REAL_CROSSREF and TEST_PREFIX in self.crossref_prefixes:
            raise ValueError("Names under the test prefix must not reach Crossref itself")
        return self

    @field_validator("prefix_groups", "prefix_hosts")
    @classmethod
    def _prefixes_are_handles(cls, value: dict[str, Any]) -> dict[str, Any]:
        for prefix in value:
            if not re.fullmatch(_HANDLE_PREFIX, prefix) or prefix.startswith("10."):
                raise ValueError(f"{prefix} is not the prefix of handles; those of DOIs belong to a registrar")
        return value

    @property
    def naming(self) -> Naming:
        more = tuple(prefix for prefix in self.prefix_groups if prefix != self.handle_prefix)
        return Naming(self.handle_prefix, self.doi_prefix, self.naan, self.base_url, more, self.doi_kinds)

    @property
    def datacite_prefixes(self) -> frozenset[str]:
        """The DOI prefixes of DataCite."""
        return self._doi_prefixes - self.crossref_prefixes

    @property
    def crossref_prefixes(self) -> frozenset[str]:
        """The DOI prefixes of Crossref."""
        return frozenset(prefix for prefix, name in self.doi_registrars.items() if name == "crossref")

    @property
    def _doi_prefixes(self) -> frozenset[str]:
        return frozenset({self.doi_prefix, *self.doi_kinds.values(), *self.doi_registrars})

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
        return self._sandbox_password("registrar")

    @property
    def crossref_deposit_url(self) -> str:
        """Base URL of Crossref's deposit system, without a slash at the end."""
        return self._crossref(self.crossref_url)

    @property
    def crossref_list_url(self) -> str:
        """Base URL of Crossref's REST API, without a slash at the end."""
        return self._crossref(self.crossref_url and self.crossref_rest_url)

    @property
    def crossref_identity(self) -> Depositor:
        """Who deposits at Crossref."""
        return Depositor(
            self.crossref_depositor, self.crossref_email, self.crossref_registrant, self.crossref_database
        )

    def crossref_password(self) -> str:
        """The password at Crossref, as the file has it now. Raises ``OSError``."""
        if self.crossref_password_file is None:
            return self._sandbox_password("crossref")
        return self.crossref_password_file.read_text(encoding="utf-8").strip()

    def _crossref(self, url: AnyHttpUrl | None) -> str:
        return str(url).rstrip("/") if url else self.base_url + CROSSREF_SANDBOX_PATH

    def _sandbox_password(self, sandbox: str) -> str:
        text = f"sandbox {sandbox} {self.secret_key.get_secret_value()}"
        return hashlib.sha256(text.encode()).hexdigest()
