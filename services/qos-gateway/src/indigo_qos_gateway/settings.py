"""What this service must know to run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from indigo_kernel.settings import ServiceSettings, settings_config
from pydantic import AnyHttpUrl, Field, StringConstraints


class Settings(ServiceSettings):
    """The base settings, the repository, and the POSIX back-end with its two tiers."""

    model_config = settings_config("qos-gateway")

    repository_url: AnyHttpUrl = Field(
        description="repository whose files are copied; files elsewhere are never fetched",
        examples=["https://repository.example.org"],
    )
    mounts_file: Path | None = Field(
        default=None, description="TOML file of further back-ends; one at `/` takes the place of the POSIX one"
    )
    posix_disk_dir: Path | None = Field(
        default=None,
        description="directory of the disk tier: the tree of objects",
        examples=[Path("storage/disk")],
    )
    posix_tape_dir: Path | None = Field(
        default=None, description="directory that stands for the tape pool", examples=[Path("storage/tape")]
    )
    posix_site: str | None = Field(default=None, description="name of the site, as plans promise it")
    posix_country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = Field(
        default=None, description="country of the site (ISO 3166-1 alpha-2), told as `cdmi_geographic_placement`"
    )
    posix_concurrency: int = Field(
        default=2, ge=1, le=64, description="files that move between disk and tape at the same time"
    )
    cdmi_enterprise_number: int = Field(
        default=32473,
        ge=1,
        lt=1 << 24,
        description="IANA private enterprise number in object IDs; the default is the one for documentation",
    )
    polling_interval: timedelta = Field(
        default=timedelta(seconds=5),
        description="time between looks at a slow storage, and what clients are told to wait",
    )
    transition_patience: timedelta = Field(
        default=timedelta(seconds=10),
        description="time a worker stays with a running transition before it goes on",
    )
    transition_concurrency: int = Field(default=4, ge=1, le=256, description="transitions worked on at once")
    transition_stall: timedelta = Field(
        default=timedelta(minutes=5),
        gt=timedelta(0),
        description="time a copy to another back-end may stand still before it is tried again",
    )
    transition_attempts: int = Field(default=8, ge=1, le=100, description="tries before a transition is given up")
    rules_file: Path | None = Field(
        default=None, description="TOML file with the operator's prices, lifetimes, policies and rules"
    )
    batch_targets: int = Field(
        default=10_000, ge=1, le=100_000, description="most paths in one bulk or stage request (413 above)"
    )
    batch_active: int = Field(
        default=100, ge=1, description="most such requests of one person that are not over (429 above)"
    )
    basic_auth: bool = Field(
        default=False, description="accept HTTP Basic with an API key as the password, for clients without tokens"
    )
    queue_values: int = Field(
        default=10_000, ge=1, le=1_000_000, description="most values one CDMI queue holds (409 above)"
    )
    queue_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024, description="most bytes the values of one CDMI queue have together"
    )
    stage_lifetime: timedelta = Field(
        default=timedelta(days=1), description="how long a staged file stays on disk when nobody says"
    )
