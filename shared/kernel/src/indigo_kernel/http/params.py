"""Types for parameters that end in a database."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from indigo_kernel.http.jsontext import INT64_MAX, INT64_MIN

Int64 = Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]
"""An integer that fits PostgreSQL's bigint. Bodies are checked for every route; parameters say it themselves."""
