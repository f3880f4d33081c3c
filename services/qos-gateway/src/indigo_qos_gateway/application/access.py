"""Who may do what to a path: the suite's scopes, WLCG capabilities over the path, or membership.

A mount may belong to somebody: then its objects, and what happened to them, are shown to its members and to
operators only, and a scope counts there only in the hands of a member. A member whose token has no storage
capability at all acts by membership, as the profile's group-based authorization wants.

Source: WLCG Common JWT Profile 1.3, sections 2.2.1 (capabilities) and 2.2.2 (groups).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope, StorageAction, parse_storage_scope, storage_allows
from indigo_kernel.problems import Forbidden, Unauthenticated

from indigo_qos_gateway.application.mounts import Mount, MountTable
from indigo_qos_gateway.domain.paths import Places


class Access:
    """The rights of a principal over the paths of the mounts."""

    def __init__(self, mounts: MountTable) -> None:
        self._mounts = mounts
        self.open = all(mount.members is None for mount in mounts.mounts)
        """Whether no mount belongs to anybody."""

    def places(self, who: Principal) -> Places | None:
        """The part of the tree that is shown to ``who``; ``None`` when that is all of it."""
        if self.open:
            return None
        shown = [mount.prefix for mount in self._mounts.mounts if _shown(who, mount)]
        return None if len(shown) == len(self._mounts.mounts) else self._mounts.places(shown)

    def check_see(self, who: Principal, paths: Iterable[str]) -> None:
        """Raise ``Unauthenticated`` or ``Forbidden`` unless all of these, there or not, are shown to ``who``."""
        if self.open:
            return
        for path in paths:
            if not _shown(who, self._mounts.at(path)):
                raise _refusal(who, "This is shown to members of a group only")

    def may_read(self, who: Principal, path: str) -> bool:
        """Whether ``who`` may have the bytes at ``path``."""
        return who.has(Scope.OPERATOR) or self._allowed(who, StorageAction.READ, path)

    def check_read(self, who: Principal, path: str) -> None:
        """Raise ``Unauthenticated`` or ``Forbidden`` unless the bytes may be had."""
        if not self.may_read(who, path):
            raise _needed(who, f"storage.read:{path}")

    def check_write(self, who: Principal, path: str, *, container: bool = False, new: bool = False) -> None:
        """Raise unless ``who`` may create (``new``), replace or delete what is at ``path``."""
        action = StorageAction.CREATE if new else StorageAction.MODIFY
        target = path.rstrip("/") + "/" if container else path
        if not self._allowed(who, action, target):
            raise _needed(who, f"storage.{action}:{path}")

    def check_transitions(self, who: Principal, paths: Sequence[str]) -> None:
        """Raise unless ``who`` may have the class of all of these changed.

        ``storage.stage`` is not enough: it allows to bring bytes to disk, and a change can take them from there.
        """
        self._check_all(who, StorageAction.MODIFY, paths)

    def check_stage(self, who: Principal, paths: Sequence[str]) -> None:
        """Raise unless ``who`` may have all of these files brought to disk, or say they are not needed there."""
        self._check_all(who, StorageAction.STAGE, paths)

    def check_poll(self, who: Principal, paths: Sequence[str]) -> None:
        """Raise unless ``who`` may ask where all of these files are."""
        if not who.has(Scope.OPERATOR):
            self._check_all(who, StorageAction.POLL, paths)

    def _check_all(self, who: Principal, action: StorageAction, paths: Sequence[str]) -> None:
        for path in paths:
            if not self._allowed(who, action, path):
                raise _needed(who, f"storage.{action}:{path}")

    def _allowed(self, who: Principal, action: StorageAction, path: str) -> bool:
        if not self.open:
            mount = self._mounts.at(path)
            if mount.members is not None:
                if not mount.members.include(who):
                    return False
                if not any(map(parse_storage_scope, who.scopes)):
                    return True
        return who.has(Scope.QOS_CHANGE) or storage_allows(who.scopes, action, path)


def _shown(who: Principal, mount: Mount) -> bool:
    return mount.members is None or who.has(Scope.OPERATOR) or mount.members.include(who)


def _needed(who: Principal, storage_scope: str) -> Unauthenticated | Forbidden:
    return _refusal(who, f"This needs the scope {Scope.QOS_CHANGE} or {storage_scope}")


def _refusal(who: Principal, detail: str) -> Unauthenticated | Forbidden:
    if who.anonymous:
        return Unauthenticated(detail)
    return Forbidden(detail, headers={"www-authenticate": 'Bearer error="insufficient_scope"'})
