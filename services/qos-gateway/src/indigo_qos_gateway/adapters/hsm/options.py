"""How a mount of dCache, of a WLCG Tape REST endpoint or of StoRM is configured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field, StringConstraints, field_validator

from indigo_qos_gateway.adapters.classes import NAMES, TAPE_IS_KEPT, Ways
from indigo_qos_gateway.adapters.hsm import dcache, storm, tape_rest
from indigo_qos_gateway.adapters.hsm.backend import HsmBackend, Manager, Wait, sleep
from indigo_qos_gateway.adapters.hsm.dcache_events import DCacheEvents
from indigo_qos_gateway.adapters.hsm.files import NoteContent, RemoteFiles
from indigo_qos_gateway.adapters.http.credentials import HeaderAuth
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.adapters.http.webdav import WebDav
from indigo_qos_gateway.adapters.options import ClassOptions, SlowOptions
from indigo_qos_gateway.application.ports import StageRequests
from indigo_qos_gateway.domain.storage import Attribute

PolicyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]

_SILENCE_SECONDS = 300.0
"""How long a connection for events may be silent before it is made anew."""


class _HsmOptions(SlowOptions):
    """``door_url`` is the WebDAV door, ``base`` the directory below it, and in the API, that is mounted."""

    door_url: AnyHttpUrl
    api_url: AnyHttpUrl
    base: Annotated[str, StringConstraints(pattern=r"^(/[^/]+)+$")]
    token_file: Path

    def _remote(self) -> Remote:
        return Remote(self.name, auth=HeaderAuth(self.token_file))

    def _made(
        self,
        kind: str,
        remote: Remote,
        manager: Manager,
        ways: Ways,
        note: NoteContent | None = None,
        wait: Wait = sleep,
        more: Mapping[str, Mapping[str, Attribute]] = MappingProxyType({}),
    ) -> HsmBackend:
        door = WebDav(remote, str(self.door_url).rstrip("/") + self.base)
        return HsmBackend(
            self.name,
            kind,
            RemoteFiles(door, note, (*NAMES, *more)),
            manager,
            ways,
            self.place(),
            again_seconds=self.look_seconds,
            wait=wait,
            more=more,
        )


class DCacheOptions(_HsmOptions):
    """``api_url`` ends with ``/api/v1``. ``policies`` are dCache's own, offered as classes by their names."""

    type: Literal["dcache"]
    policies: dict[PolicyName, ClassOptions] = Field(default_factory=dict)

    @field_validator("policies")
    @classmethod
    def _policies_are_no_other_classes(cls, policies: dict[str, ClassOptions]) -> dict[str, ClassOptions]:
        if taken := sorted(set(policies) & set(NAMES)):
            raise ValueError(f"{', '.join(taken)} is the name of another class")
        return policies

    def backend(self) -> HsmBackend:
        remote = self._remote()
        listening = Remote(self.name, auth=HeaderAuth(self.token_file), seconds=_SILENCE_SECONDS)
        events = DCacheEvents(listening, str(self.api_url), self.base)
        manager = dcache.DCacheManager(remote, str(self.api_url), self.base, events, tuple(self.policies))
        more = {name: each.attributes() for name, each in self.policies.items()}
        ways = dcache.ways(tuple(self.policies))
        return self._made("dCache", remote, manager, ways, manager.note_content, events.wait, more)


class TapeRestOptions(_HsmOptions):
    """``api_url`` is what ``/.well-known/wlcg-tape-rest-api`` says; ``kind`` is what plans call the system."""

    type: Literal["wlcg-tape"]
    kind: str = "StoRM"

    def backend(self, requests: StageRequests) -> HsmBackend:
        remote = self._remote()
        manager = tape_rest.TapeRestManager(self.name, remote, str(self.api_url), self.base, requests)
        return self._made(self.kind, remote, manager, TAPE_IS_KEPT)


class StormOptions(_HsmOptions):
    """``api_url`` is the back-end's REST service, to which ``rest_token_file`` gives access."""

    type: Literal["storm"]
    rest_token_file: Path
    vo: str

    def backend(self) -> HsmBackend:
        rest = Remote(self.name, auth=HeaderAuth(self.rest_token_file, "token", ""))
        manager = storm.StormManager(rest, str(self.api_url), self.base, self.vo)
        return self._made("StoRM", self._remote(), manager, storm.WAYS)
