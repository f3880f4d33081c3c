"""The resource of the DataCite Metadata Schema 4.7, in the JSON form of the DataCite REST API.

Names are those of the REST API's attributes (camel case, ``schemeUri``); numbers in comments are the schema's
property numbers. What DataCite adds by itself (``ris``, ``bibtex``, counts, …) is ignored when read. Texts are
normalized: see ``text``.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from indigo_pid.datacite.text import Language, Line, Lines, Uri
from indigo_pid.datacite.vocabularies import (
    ContributorType,
    DateType,
    DescriptionType,
    FunderIdentifierType,
    NameType,
    NumberType,
    RelatedIdentifierType,
    RelationType,
    ResourceType,
    TitleType,
)

SCHEMA = "http://datacite.org/schema/kernel-4"
"""``schemaVersion`` of every document, and the namespace of the XML, for all of 4.x."""

_MOST_RIGHTS = 2000
"""Characters of a rights statement the REST API takes."""

_FEWEST_CORNERS = 4


class Part(BaseModel):
    """Anything in a resource. Null and blank values count as absent, as the registrar counts them."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {
            name: value
            for name, value in data.items()
            if value is not None and not (isinstance(value, str) and not value.strip())
        }

    def document(self) -> dict[str, Any]:
        """The JSON form: camel case, nothing that is absent or empty."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _named(value: Any) -> Any:
    """Publishers and affiliations were bare names before they had identifiers, and still may be."""
    return {"name": value} if isinstance(value, str) else value


class NameIdentifier(Part):
    """An identifier of a person or an organization (2.4, 7.4)."""

    name_identifier: Line
    name_identifier_scheme: Line
    scheme_uri: Uri | None = None


class Affiliation(Part):
    """Where somebody works (2.5, 7.5)."""

    name: Line
    affiliation_identifier: Line | None = None
    affiliation_identifier_scheme: Line | None = None
    scheme_uri: Uri | None = None


class ItemCreator(Part):
    """Who made a related item (20.2)."""

    name: Line
    name_type: NameType | None = None
    given_name: Line | None = None
    family_name: Line | None = None
    lang: Language | None = None


class ItemContributor(ItemCreator):
    """Who contributed to a related item (20.11)."""

    contributor_type: ContributorType


class Creator(ItemCreator):
    """Who made the resource (2)."""

    name_identifiers: list[NameIdentifier] = []
    affiliation: list[Annotated[Affiliation, BeforeValidator(_named)]] = []


class Contributor(Creator):
    """Who contributed to the resource, and how (7)."""

    contributor_type: ContributorType


class Title(Part):
    """A title (3); the main one has no type."""

    title: Line
    title_type: TitleType | None = None
    lang: Language | None = None


class Publisher(Part):
    """Who holds and makes available the resource (4)."""

    name: Line
    publisher_identifier: Line | None = None
    publisher_identifier_scheme: Line | None = None
    scheme_uri: Uri | None = None
    lang: Language | None = None


class Types(Part):
    """What the resource is: a general type from the list (10.a), and one in one's own words (10)."""

    resource_type_general: ResourceType
    resource_type: Line | None = None


class Subject(Part):
    """A keyword or a classification (6)."""

    subject: Line
    subject_scheme: Line | None = None
    scheme_uri: Uri | None = None
    value_uri: Uri | None = None
    classification_code: Uri | None = None
    lang: Language | None = None


class Date(Part):
    """A date, a moment or a range in the forms of W3CDTF and RKMS-ISO8601, and what happened then (8)."""

    date: Line
    date_type: DateType
    date_information: Line | None = None


class AlternateIdentifier(Part):
    """Another name of the same instance of the resource (11)."""

    alternate_identifier: Line
    alternate_identifier_type: Line


class _Scheme(Part):
    """The schema of metadata that is related (12.d to 12.f, 20.1.b to 20.1.d)."""

    related_metadata_scheme: Line | None = None
    scheme_uri: Uri | None = None
    scheme_type: Line | None = None


class RelatedIdentifier(_Scheme):
    """Something that is related and has an identifier (12)."""

    related_identifier: Line
    related_identifier_type: RelatedIdentifierType
    relation_type: RelationType
    relation_type_information: Line | None = None
    resource_type_general: ResourceType | None = None


class Rights(Part):
    """A license or another statement of rights (16)."""

    rights: Annotated[Line, Field(max_length=_MOST_RIGHTS)] | None = None
    rights_uri: Uri | None = None
    rights_identifier: Line | None = None
    rights_identifier_scheme: Line | None = None
    scheme_uri: Uri | None = None
    lang: Language | None = None


class Description(Part):
    """A description (17). The schema allows one without text."""

    description: Lines | None = None
    description_type: DescriptionType
    lang: Language | None = None


class Point(Part):
    """A place on Earth in degrees, WGS 84 (18.1)."""

    point_longitude: Annotated[float, Field(ge=-180, le=180)]
    point_latitude: Annotated[float, Field(ge=-90, le=90)]


class Box(Part):
    """A rectangle between two longitudes and two latitudes in degrees, WGS 84 (18.2)."""

    west_bound_longitude: Annotated[float, Field(ge=-180, le=180)]
    east_bound_longitude: Annotated[float, Field(ge=-180, le=180)]
    south_bound_latitude: Annotated[float, Field(ge=-90, le=90)]
    north_bound_latitude: Annotated[float, Field(ge=-90, le=90)]


class PolygonPoint(Part):
    """A corner of an area, or a point inside it, which tells which side is meant (18.4)."""

    polygon_point: Point | None = None
    in_polygon_point: Point | None = None


def _closed(polygon: list[PolygonPoint]) -> list[PolygonPoint]:
    if sum(one.polygon_point is not None for one in polygon) < _FEWEST_CORNERS:
        raise PydanticCustomError("corners", "An area has at least four points, the last of them the first")
    if sum(one.in_polygon_point is not None for one in polygon) > 1:
        raise PydanticCustomError("corners", "An area has at most one point inside")
    return polygon


Polygon = Annotated[list[PolygonPoint], AfterValidator(_closed)]
"""An area (18.4)."""


def _polygons(value: Any) -> Any:
    """In the REST API one polygon is not put into a list of its own; several are."""
    return [value] if is_single_polygon(value) else value


def is_single_polygon(value: object) -> bool:
    """Whether ``value`` is one polygon and not a list of them."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


class GeoLocation(Part):
    """Where the data was gathered, or what it is about (18)."""

    geo_location_place: Line | None = None
    geo_location_point: Point | None = None
    geo_location_box: Box | None = None
    geo_location_polygon: Annotated[list[Polygon], BeforeValidator(_polygons)] = []

    @field_serializer("geo_location_polygon")
    def _one_or_more(self, polygons: list[Polygon]) -> list[Any]:
        told = [[point.document() for point in polygon] for polygon in polygons]
        return told[0] if len(told) == 1 else told


class FundingReference(Part):
    """Who paid (19)."""

    funder_name: Line
    funder_identifier: Line | None = None
    funder_identifier_type: FunderIdentifierType | None = None
    scheme_uri: Uri | None = None
    award_number: Line | None = None
    award_uri: Uri | None = None
    award_title: Line | None = None

    @model_validator(mode="after")
    def _identifier_has_type(self) -> Self:
        if self.funder_identifier is not None and self.funder_identifier_type is None:
            raise ValueError("An identifier of a funder needs its funderIdentifierType")
        if self.funder_identifier is None and (self.funder_identifier_type or self.scheme_uri):
            raise ValueError("The type and the scheme of an identifier need the funderIdentifier itself")
        return self


class ItemIdentifier(_Scheme):
    """An identifier of a related item (20.1)."""

    related_item_identifier: Line
    related_item_identifier_type: RelatedIdentifierType | None = None


class RelatedItem(Part):
    """Something that is related, described here because an identifier may be missing (20)."""

    related_item_type: ResourceType
    relation_type: RelationType
    relation_type_information: Line | None = None
    related_item_identifier: ItemIdentifier | None = None
    creators: list[ItemCreator] = []
    titles: list[Title] = []
    publication_year: Annotated[int, Field(ge=0, le=9999)] | None = None
    volume: Line | None = None
    issue: Line | None = None
    number: Line | None = None
    number_type: NumberType | None = None
    first_page: Line | None = None
    last_page: Line | None = None
    publisher: Line | None = None
    edition: Line | None = None
    contributors: list[ItemContributor] = []


class Resource(Part):
    """A resource that is complete enough to be registered: properties 2, 3, 4, 5 and 10 are there."""

    doi: Line | None = None
    """Its DOI name (1); absent when it is known by another identifier."""
    creators: Annotated[list[Creator], Field(min_length=1)]
    titles: Annotated[list[Title], Field(min_length=1)]
    publisher: Annotated[Publisher, BeforeValidator(_named)]
    publication_year: Annotated[int, Field(ge=0, le=9999)]
    types: Types
    subjects: list[Subject] = []
    contributors: list[Contributor] = []
    dates: list[Date] = []
    language: Language | None = None
    alternate_identifiers: list[AlternateIdentifier] = []
    related_identifiers: list[RelatedIdentifier] = []
    related_items: list[RelatedItem] = []
    sizes: list[Line] = []
    formats: list[Line] = []
    version: Line | None = None
    rights_list: list[Rights] = []
    descriptions: list[Description] = []
    geo_locations: list[GeoLocation] = []
    funding_references: list[FundingReference] = []
