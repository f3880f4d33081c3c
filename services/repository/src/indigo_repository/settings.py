"""Settings of the repository service."""

from __future__ import annotations

from pathlib import Path

from indigo_kernel.settings import ServiceSettings, settings_config
from pydantic import Field


class Settings(ServiceSettings):
    """``INDIGO_REPOSITORY_…``"""

    model_config = settings_config("repository")

    storage_dir: Path = Field(
        description="directory of the OCFL root, the staging area and the work area: one durable file system",
        examples=["/var/lib/indigo/repository"],
    )
    publisher: str = Field(
        default="INDIGO Data Repository", description="publisher of records that name no other", min_length=1
    )
    max_files: int = Field(default=10_000, ge=1, description="most files of one record")
    max_file_bytes: int = Field(default=50_000_000_000, ge=1, description="largest file, in bytes")
    max_record_bytes: int = Field(default=200_000_000_000, ge=1, description="most bytes of one record's files")
