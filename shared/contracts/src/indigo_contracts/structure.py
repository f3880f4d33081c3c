"""The structure of a dataset: tables, columns with type, unit and constraints, and the taxa it is about.

Semantics: Data Package 2.0 Table Schema; units are UCUM codes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from indigo_contracts.text import Key, RelativePath


class Written(BaseModel):
    """A part of a document someone writes: an unknown field is a mistake worth telling."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Code(Written):
    """One permitted value of a coded field, with its meaning."""

    code: str
    label: str | None = None
    uri: str | None = None


class FieldType(StrEnum):
    """Data Package 2.0 Table Schema types the suite can test."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    YEAR = "year"


class FieldSpec(Written):
    """One column: name, type, unit and constraints (Table Schema semantics; ``unit`` is a UCUM code)."""

    name: str = Field(min_length=1, max_length=256)
    type: FieldType = FieldType.STRING
    title: str | None = None
    definition: str | None = None
    unit: str | None = Field(default=None, description="UCUM code, for example mm or g/m2")
    term: str | None = Field(default=None, description="URI of the term, for example a Darwin Core term")
    format: str | None = Field(
        default=None, description="strptime pattern of dates and times; ISO 8601 when absent"
    )
    required: bool = False
    unique: bool = False
    minimum: float | str | None = None
    maximum: float | str | None = None
    min_length: int | None = Field(default=None, ge=0)
    max_length: int | None = Field(default=None, ge=0)
    pattern: str | None = Field(
        default=None, max_length=512, description="regular expression the whole value matches (RE2 syntax)"
    )
    codes: list[Code] | None = Field(default=None, min_length=1)


class ForeignKey(Written):
    fields: list[str] = Field(min_length=1)
    table: Key
    reference: list[str] = Field(min_length=1)


class TableSpec(Written):
    """One table of a dataset: which files hold it and what its columns are."""

    name: Key
    path: RelativePath = Field(description="file key in the record; * and ? match within one segment")
    title: str | None = None
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: Literal["utf-8", "latin-1", "utf-16"] = "utf-8"
    missing_values: list[str] = Field(default_factory=lambda: [""])
    fields: list[FieldSpec] = Field(min_length=1, max_length=2000)
    primary_key: list[str] = Field(default_factory=list)
    foreign_keys: list[ForeignKey] = Field(default_factory=list)
    extra_columns: bool = Field(default=False, description="whether columns the plan does not name are allowed")
    min_rows: int | None = Field(default=None, ge=0)
    max_rows: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _names(self) -> TableSpec:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise ValueError("two fields have the same name")
        known = set(names)
        for name in [*self.primary_key, *(n for key in self.foreign_keys for n in key.fields)]:
            if name not in known:
                raise ValueError(f"the key names {name!r}, which is not a field")
        return self


class Structure(Written):
    conforms_to: list[str] = Field(default_factory=list)
    tables: list[TableSpec] = Field(default_factory=list)

    @model_validator(mode="after")
    def _tables(self) -> Structure:
        names = [table.name for table in self.tables]
        if len(set(names)) != len(names):
            raise ValueError("two tables have the same name")
        return self


class Taxon(Written):
    """A taxon the dataset is about."""

    scientific_name: str = Field(min_length=1)
    rank: str | None = None
    taxon_id: str | None = Field(default=None, description="URI or LSID in the checklist")
    checklist: str | None = Field(default=None, description="name or DOI of the checklist, with its version")
    vernacular_name: str | None = None
