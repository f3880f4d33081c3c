"""QoS policies of dCache (since 9.2): a file goes through the states of one by itself, each with its media.

Source: dCache Book, "QoS Policies" (``qos-policy``, ``UPDATE_QOS`` with ``qosPolicy``), and the frontend's
resource ``qos-policy/path`` (``policyName``, ``policyState``). Policies never change once they were uploaded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import quote

import httpx
from indigo_contracts.qos import Locality
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.http.remote import Remote

STATE = "indigo_qos_policy_state"
"""Attribute of an object: at which state of its policy it is, from 0."""

_FITTING = {
    frozenset({"DISK"}): {Locality.DISK},
    frozenset({"DISK", "HSM"}): {Locality.DISK_AND_TAPE},
    # Its copy on disk is only cached, until the space is needed.
    frozenset({"HSM"}): {Locality.TAPE, Locality.DISK_AND_TAPE},
}


class Policies:
    """Those of a dCache that are offered as classes, by their names. ``url`` ends with ``/api/v1``."""

    def __init__(self, remote: Remote, url: str, names: Collection[str]) -> None:
        self._remote = remote
        self._url = f"{url.rstrip('/')}/qos-policy"
        self.names = names
        self._known: dict[str, Sequence[frozenset[str]]] = {}

    async def kept(self, escaped: str, locality: Locality) -> tuple[str, int] | None:
        """Policy and state of a file, when its bytes are where that state has them.

        ``escaped`` is the path as addresses have it.
        """
        response = await self._remote.send("GET", f"{self._url}/path/{escaped}", also={400, 404})
        if not response.is_success:
            return None
        found = self._remote.document(response)
        name, state = found.get("policyName"), found.get("policyState")
        if name not in self.names or not isinstance(state, int):
            return None
        states = await self._states(str(name))
        fits = 0 <= state < len(states) and locality in _FITTING.get(states[state], ())
        return (str(name), state) if fits else None

    async def check(self) -> None:
        """Raise ``Unavailable`` for a policy that is not there."""
        for name in self.names:
            await self._states(name)

    async def _states(self, name: str) -> Sequence[frozenset[str]]:
        """The media of each state."""
        if name not in self._known:
            response = await self._remote.send("GET", f"{self._url}/{quote(name, safe='')}", also={400, 404})
            if response.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND}:
                raise Unavailable(f"{self._remote.name} has no policy {name}")
            try:
                self._known[name] = [
                    frozenset(str(medium["storageMedium"]) for medium in state["media"])
                    for state in self._remote.document(response)["states"]
                ]
            except (KeyError, TypeError):
                raise self._remote.strange(response) from None
        return self._known[name]
