"""Who may make names under which prefix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from indigo_contracts.problems import FieldError
from indigo_kernel.auth.principal import Principal
from indigo_kernel.problems import Forbidden, InvalidBody

from indigo_pid.domain.names import ascii_lower


@dataclass(frozen=True, slots=True)
class Group:
    """A group of an issuer: another issuer's group of the same name is another group."""

    issuer: str
    name: str


@dataclass(frozen=True, slots=True)
class Prefixes:
    """The prefixes handles are made under. One that is in ``groups`` is for members of these groups only.

    ``usual`` is the one taken when none is asked for, open to everybody who may mint unless it is in ``groups``.
    """

    usual: str
    groups: Mapping[str, frozenset[Group]] = field(default_factory=dict)

    def named(self, prefix: str) -> str | None:
        """The prefix as it is written here; ``None`` when it is not one of ours."""
        asked = ascii_lower(prefix)
        return next((one for one in (self.usual, *self.groups) if ascii_lower(one) == asked), None)

    def chosen(self, prefix: str | None) -> str:
        """The prefix a client asks for. Raises ``InvalidBody`` with a pointer to ``/prefix``."""
        found = self.usual if prefix is None else self.named(prefix)
        if found is None:
            detail = f"Names under {prefix} are not made here"
            raise InvalidBody(detail, errors=[FieldError(pointer="/prefix", detail=detail, code="foreign_prefix")])
        return found

    def admit(self, prefix: str, who: Principal) -> None:
        """Raises ``Forbidden`` when ``prefix``, one of ours, is for groups ``who`` is in none of."""
        allowed = self.groups.get(prefix)
        if allowed is not None and not any(one.issuer == who.iss and one.name in who.groups for one in allowed):
            raise Forbidden(f"Names under {prefix} are made by members of its groups only", prefix=prefix)
