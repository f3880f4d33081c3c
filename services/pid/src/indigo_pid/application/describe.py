"""What is known of the thing an identifier names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indigo_contracts.problems import FieldError

from indigo_pid.application.ports import Work
from indigo_pid.citation.subject import Subject
from indigo_pid.datacite.models import Resource
from indigo_pid.datacite.validation import InvalidMetadata, read_resource
from indigo_pid.domain.doi import Doi
from indigo_pid.domain.identifier import Identifier


@dataclass(frozen=True, slots=True)
class Description:
    """An identifier, its registration, and the metadata it has: the DOI's, else what the client brought.

    ``revision`` changes whenever the metadata does.
    """

    identifier: Identifier
    doi: Doi | None
    attributes: Mapping[str, Any] | None
    revision: tuple[str, int]

    def read(self) -> tuple[Resource | None, Sequence[FieldError]]:
        """The metadata as a resource; without one, why it is none (nothing when there is no metadata)."""
        if not self.attributes:
            return None, ()
        try:
            return read_resource({**self.attributes, "doi": self.identifier.doi}), ()
        except InvalidMetadata as invalid:
            return None, invalid.errors

    def subject(self, resource: Resource | None) -> Subject:
        """The thing to be described in any format."""
        identifier = self.identifier
        return Subject(
            handle=identifier.handle,
            ark=identifier.ark,
            doi=identifier.doi,
            resolver_url=identifier.resolver_url,
            target=identifier.target,
            kind=identifier.kind,
            created_at=identifier.created_at,
            updated_at=identifier.updated_at,
            resource=resource,
        )


async def describe_identifier(work: Work, identifier: Identifier) -> Description:
    """Find what is known of ``identifier``."""
    doi = None if identifier.doi is None else await work.dois.find(identifier.doi)
    if doi is not None:
        return Description(identifier, doi, doi.attributes, (doi.doi, doi.revision))
    return Description(identifier, None, identifier.metadata, (identifier.handle, identifier.version))
