"""The file of mounts: which back-end is where in the tree, and with which credentials."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from indigo_qos_gateway.adapters.hpss.options import HpssOptions
from indigo_qos_gateway.adapters.hsm.options import DCacheOptions, StormOptions, TapeRestOptions
from indigo_qos_gateway.adapters.mounted.options import GpfsOptions, TsmOptions
from indigo_qos_gateway.adapters.onedata.options import OneDataOptions
from indigo_qos_gateway.adapters.options import MemberOptions
from indigo_qos_gateway.adapters.posix.options import PosixOptions
from indigo_qos_gateway.adapters.s3.options import CephOptions, S3Options
from indigo_qos_gateway.application.mounts import Members, Mount
from indigo_qos_gateway.application.ports import Backend, StageRequests

AnyMount = Annotated[
    S3Options
    | CephOptions
    | DCacheOptions
    | TapeRestOptions
    | StormOptions
    | TsmOptions
    | GpfsOptions
    | OneDataOptions
    | HpssOptions
    | PosixOptions,
    Field(discriminator="type"),
]


class MountsFile(BaseModel):
    """The whole file: a table ``[[mount]]`` for each back-end. Secrets are in files of their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mount: list[AnyMount]


def read_mounts(path: Path, requests: StageRequests) -> list[Mount]:
    """The mounts a TOML file asks for; ``requests`` are what tape systems were asked for.

    Raises ``ValueError`` that says what is wrong where.
    """
    try:
        with path.open("rb") as file:
            read = MountsFile.model_validate(tomllib.load(file))
    except OSError as error:
        raise ValueError(f"The file of mounts {path} cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"The file of mounts {path} is no TOML: {error}") from None
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(each) for each in found['loc'])}: {found['msg']}"
            for found in error.errors(include_url=False, include_input=False)
        )
        raise ValueError(f"The file of mounts {path}: {wrong}") from None
    names = [each.name for each in read.mount]
    if len(set(names)) != len(names):
        raise ValueError(f"The file of mounts {path}: each mount needs a name of its own")
    return [Mount(each.prefix, _backend(each, requests), _members(each.members)) for each in read.mount]


def _backend(options: AnyMount, requests: StageRequests) -> Backend:
    return options.backend(requests) if isinstance(options, TapeRestOptions) else options.backend()


def _members(options: MemberOptions | None) -> Members | None:
    return None if options is None else Members(options.issuer, options.groups)
