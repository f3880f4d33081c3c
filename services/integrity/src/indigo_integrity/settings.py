"""What the integrity service must know to run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from indigo_kernel.settings import ServiceSettings, settings_config
from pydantic import AnyHttpUrl, Field


class Settings(ServiceSettings):
    model_config = settings_config("integrity")

    repository_url: AnyHttpUrl = Field(
        description="base URL of the repository service", examples=["https://repository.example.org"]
    )
    work_dir: Path = Field(
        description="private directory for the files of running tests; needs room for the largest record",
        examples=["/var/lib/indigo-integrity"],
    )
    concurrency: int = Field(default=2, ge=1, description="tests that run at the same time in one process")
    attempts: int = Field(
        default=10,
        ge=1,
        description="tries of a test that infrastructure is in the way of, before verdict `error`",
    )
    fixity_interval: timedelta = Field(
        default=timedelta(days=30), description="time between two readings of a record's files, ISO 8601"
    )
    fixity_sweep: timedelta = Field(
        default=timedelta(minutes=1), description="time between two looks for records that are due"
    )
    max_download_bytes: int = Field(
        default=20 * 2**30, ge=1, description="largest input of a content or processing test, in bytes"
    )
    findings_per_check: int = Field(
        default=1000, ge=1, description="wrong rows told one by one per check; the rest is counted"
    )
    table_memory_mb: int = Field(default=1024, ge=128, description="memory of the table validation, in MiB")
    table_threads: int = Field(default=2, ge=1, description="threads of the table validation")
    table_seconds: int = Field(default=600, ge=1, description="longest validation of one dataset's tables")
    max_wall_seconds: int = Field(default=3600, ge=1, description="longest run a plan may ask for")
    max_cpu_seconds: int = Field(default=3600, ge=1, description="most CPU seconds a plan may ask for")
    max_memory_mb: int = Field(default=4096, ge=16, description="most memory a plan may ask for, in MiB")
    max_disk_mb: int = Field(default=4096, ge=1, description="largest output a plan may ask for, in MiB")
    max_processes: int = Field(default=256, ge=1, description="most processes a plan may ask for")
