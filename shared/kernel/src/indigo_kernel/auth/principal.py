"""Who is asking: the identity and the rights one request comes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from indigo_contracts.envelope import Actor

from indigo_kernel.problems import Forbidden, Unauthenticated

Via = Literal["token", "api-key", "anonymous"]


@dataclass(frozen=True, slots=True)
class Principal:
    """An identity is the pair (``iss``, ``sub``): a subject means nothing without its issuer.

    ``scopes`` are what the token allows, ``groups`` what the issuer says about the person; a group is
    worth as much as its issuer, so a rule about a group names the issuer too. No scope implies
    another: ``operator`` opens the operator's routes and nothing else.
    """

    iss: str
    sub: str
    scopes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    via: Via = "token"
    name: str | None = None
    email: str | None = None

    @property
    def anonymous(self) -> bool:
        return self.via == "anonymous"

    @property
    def is_authenticated(self) -> bool:
        return self.via != "anonymous"

    @property
    def actor(self) -> Actor | None:
        """The identity as events carry it; nobody is no actor."""
        return None if self.anonymous else Actor(iss=self.iss, sub=self.sub)

    def has(self, scope: str) -> bool:
        """Whether ``scope`` was granted, literally. Storage scopes are asked with ``storage_allows``."""
        return scope in self.scopes

    def require(self, scope: str) -> None:
        """Go on only with ``scope``.

        Raises ``Unauthenticated`` (401) when nobody is logged in and ``Forbidden`` (403, RFC 6750
        section 3.1 ``insufficient_scope``) when somebody is, without the scope.
        """
        if self.anonymous:
            raise Unauthenticated(f"This needs a token with the scope {scope}")
        if not self.has(scope):
            raise Forbidden(
                f"This needs the scope {scope}",
                headers={"www-authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
                scope=str(scope),
            )

    def owns(self, iss: str, sub: str) -> bool:
        """Whether something that belongs to (``iss``, ``sub``) belongs to this principal."""
        return self.is_authenticated and (self.iss, self.sub) == (iss, sub)


ANONYMOUS = Principal(iss="", sub="", via="anonymous")
"""A request without credentials."""
