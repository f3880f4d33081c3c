"""What the resolver says of an identifier as JSON."""

from __future__ import annotations

from typing import Self

from indigo_contracts.pid import IdentifierSnapshot, IdentifierState
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.kernel_information import kernel_information, missing


class Replacement(BaseModel):
    """What took the place of something gone."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="a handle, or an address")
    url: str

    @classmethod
    def of(cls, identifier: Identifier) -> Self | None:
        name = identifier.replacement
        if name is None:
            return None
        if name.startswith(("https://", "http://")):
            return cls(name=name, url=name)
        return cls(name=name, url=identifier.resolver_url.removesuffix(identifier.handle) + name)


class ToldTombstone(BaseModel):
    """Why something is gone, how to cite it all the same, and where to go instead."""

    model_config = ConfigDict(frozen=True)

    reason: str
    citation: str | None
    replacement: Replacement | None
    at: AwareDatetime

    @classmethod
    def of(cls, identifier: Identifier, citation: str | None) -> Self | None:
        """``citation`` stands in where nobody gave one."""
        if identifier.state is not IdentifierState.TOMBSTONED:
            return None
        return cls(
            reason=identifier.reason or "",
            citation=identifier.citation or citation,
            replacement=Replacement.of(identifier),
            at=identifier.updated_at,
        )


class KernelEntryView(BaseModel):
    """One typed record of the PID kernel information (RDA Recommendation, 2018)."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    type: str = Field(description="handle of the type")
    name: str
    value: str


class ToldIdentifier(IdentifierSnapshot):
    """An identifier as the resolver shows it to programs."""

    tombstone: ToldTombstone | None = None
    kernel_information: list[KernelEntryView] = Field(default_factory=list)
    missing: list[str] = Field(
        default_factory=list, description="mandatory attributes that are not there, when a profile is named"
    )

    @classmethod
    def of(cls, identifier: Identifier, citation: str | None) -> Self:
        """``citation`` as of ``ToldTombstone.of``."""
        entries = kernel_information(identifier)
        return cls(
            **dict(identifier.snapshot()),
            tombstone=ToldTombstone.of(identifier, citation),
            kernel_information=[KernelEntryView.model_validate(one) for one in entries],
            missing=missing(entries),
        )
