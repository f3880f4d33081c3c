"""How a mount of S3 or Ceph is configured."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import AnyHttpUrl, Field, model_validator

from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.adapters.options import ClassOptions, MountOptions, SlowOptions
from indigo_qos_gateway.adapters.s3.api import S3, Bucket
from indigo_qos_gateway.adapters.s3.backend import NativeClass, S3Backend
from indigo_qos_gateway.adapters.s3.ceph import CephBackend


class S3Class(ClassOptions):
    """One storage class. Objects of an ``archive`` class have to be restored before they can be read."""

    native: str = Field(min_length=1, examples=["STANDARD", "GLACIER"])
    archive: bool = False


class _BucketOptions(MountOptions):
    endpoint: AnyHttpUrl
    bucket: str = Field(min_length=1)
    region: str = "us-east-1"
    access_key_file: Path
    secret_key_file: Path
    landing_class: str
    classes: dict[str, S3Class] = Field(min_length=1)

    @model_validator(mode="after")
    def _objects_land_where_they_can_be_read(self) -> Self:
        landing = self.classes.get(self.landing_class)
        if landing is None or landing.archive:
            raise ValueError("landing_class is one of the classes, and no archive")
        if len({each.native for each in self.classes.values()}) != len(self.classes):
            raise ValueError("two classes have the same native one")
        return self

    def _api(self) -> S3:
        bucket = Bucket(str(self.endpoint), self.bucket, self.region, self.access_key_file, self.secret_key_file)
        return S3(Remote(self.name), bucket)

    def _offered(self) -> dict[str, NativeClass]:
        return {
            name: NativeClass(each.native, each.archive, each.attributes()) for name, each in self.classes.items()
        }


class S3Options(_BucketOptions, SlowOptions):
    """Restores from an archive take hours: they are looked at once a minute unless ``look_seconds`` says else."""

    type: Literal["s3"]
    look_seconds: float = Field(default=60.0, gt=0)

    def backend(self) -> S3Backend:
        return S3Backend(
            self.name,
            self._api(),
            self._offered(),
            self.landing_class,
            self.place(),
            again_seconds=self.look_seconds,
        )


class CephOptions(_BucketOptions):
    """``placement`` is the placement target the bucket was made with."""

    type: Literal["ceph"]
    placement: str = "default-placement"

    def backend(self) -> CephBackend:
        return CephBackend(
            self.name, self._api(), self._offered(), self.landing_class, self.place(), placement=self.placement
        )
