"""Who may do what to a path: the suite's scopes, or WLCG capabilities over the path.

Source: WLCG Common JWT Profile 1.3, section 2.2.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope, StorageAction, storage_allows
from indigo_kernel.problems import Forbidden, Unauthenticated


def may_read(who: Principal, path: str) -> bool:
    """Whether ``who`` may have the bytes at ``path``."""
    return (
        who.has(Scope.QOS_CHANGE)
        or who.has(Scope.OPERATOR)
        or storage_allows(who.scopes, StorageAction.READ, path)
    )


def check_read(who: Principal, path: str) -> None:
    """Raise ``Unauthenticated`` or ``Forbidden`` unless the bytes may be had."""
    if not may_read(who, path):
        raise _refusal(who, f"storage.read:{path}")


def check_write(who: Principal, path: str, *, container: bool = False, new: bool = False) -> None:
    """Raise unless ``who`` may create (``new``), replace or delete what is at ``path``."""
    action = StorageAction.CREATE if new else StorageAction.MODIFY
    target = path.rstrip("/") + "/" if container else path
    if not (who.has(Scope.QOS_CHANGE) or storage_allows(who.scopes, action, target)):
        raise _refusal(who, f"storage.{action}:{path}")


def check_transition(who: Principal, path: str, *, container: bool) -> None:
    """Raise unless ``who`` may have the class of ``path`` changed.

    ``storage.stage`` is not enough: it allows to bring bytes to disk, and a change can take them from there.
    """
    check_write(who, path, container=container)


def check_stage(who: Principal, paths: Sequence[str]) -> None:
    """Raise unless ``who`` may have all of these files brought to disk, or say they are not needed there."""
    _check_all(who, StorageAction.STAGE, paths)


def check_poll(who: Principal, paths: Sequence[str]) -> None:
    """Raise unless ``who`` may ask where all of these files are."""
    if not who.has(Scope.OPERATOR):
        _check_all(who, StorageAction.POLL, paths)


def check_transitions(who: Principal, paths: Sequence[str]) -> None:
    """Raise unless ``who`` may have the class of all of these changed."""
    _check_all(who, StorageAction.MODIFY, paths)


def _check_all(who: Principal, action: StorageAction, paths: Sequence[str]) -> None:
    if who.has(Scope.QOS_CHANGE):
        return
    for path in paths:
        if not storage_allows(who.scopes, action, path):
            raise _refusal(who, f"storage.{action}:{path}")


def _refusal(who: Principal, storage_scope: str) -> Unauthenticated | Forbidden:
    needed = f"This needs the scope {Scope.QOS_CHANGE} or {storage_scope}"
    if who.anonymous:
        return Unauthenticated(needed)
    return Forbidden(needed, headers={"www-authenticate": 'Bearer error="insufficient_scope"'})
