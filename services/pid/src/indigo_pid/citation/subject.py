"""What is described, and by which names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from indigo_contracts.repository import RecordKind

from indigo_pid.datacite.models import Creator, ItemCreator, Resource
from indigo_pid.datacite.vocabularies import DateType, DescriptionType, NameType


@dataclass(frozen=True, slots=True)
class Subject:
    """The thing an identifier names. ``resource`` is absent when nobody described it as DataCite wants it."""

    handle: str
    ark: str | None
    doi: str | None
    resolver_url: str
    target: str | None
    kind: RecordKind | None
    created_at: datetime
    updated_at: datetime
    resource: Resource | None

    @property
    def url(self) -> str:
        """The address to cite: the DOI's, or where this resolver answers for the handle."""
        return f"https://doi.org/{self.doi}" if self.doi else self.resolver_url

    @property
    def names(self) -> list[str]:
        """Its other names, as URIs where they have such a form."""
        handle = f"https://hdl.handle.net/{self.handle}"
        told = [handle, *([self.ark] if self.ark else []), self.resolver_url]
        return [name for name in told if name != self.url]


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name as citations take it apart: a person has a family name, others have one ``literal``."""

    family: str | None
    given: str | None
    literal: str


def name_of(agent: Creator | ItemCreator) -> PersonName:
    """Take a name apart. DataCite writes persons ``Family, Given`` when it does not say both by themselves."""
    if agent.name_type is NameType.ORGANIZATIONAL:
        return PersonName(None, None, agent.name)
    if agent.family_name:
        return PersonName(agent.family_name, agent.given_name, agent.name)
    family, comma, given = agent.name.partition(",")
    if comma and family.strip() and given.strip():
        return PersonName(family.strip(), given.strip(), agent.name)
    return PersonName(None, None, agent.name)


def main_title(resource: Resource) -> str:
    """The title without a type, which is the main one; else the first there is."""
    return next((one.title for one in resource.titles if one.title_type is None), resource.titles[0].title)


def abstract(resource: Resource) -> str | None:
    """What it is about, if that is told."""
    found = (one.description for one in resource.descriptions if one.description_type is DescriptionType.ABSTRACT)
    return next(found, None)


def date_of(resource: Resource, *kinds: DateType) -> str | None:
    """The first date of one of ``kinds``, in order of preference."""
    for kind in kinds:
        for one in resource.dates:
            if one.date_type is kind:
                return one.date
    return None
