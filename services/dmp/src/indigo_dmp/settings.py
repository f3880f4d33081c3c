"""Settings of the plan service."""

from __future__ import annotations

from indigo_kernel.settings import ServiceSettings, settings_config


class Settings(ServiceSettings):
    """What every service needs is all the plan service needs."""

    model_config = settings_config("dmp")
