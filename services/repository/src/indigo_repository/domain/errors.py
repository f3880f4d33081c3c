"""What can go wrong with stored bytes; the adapters raise these, the use cases answer them."""

from __future__ import annotations

from indigo_kernel.problems import Unavailable


class StorageFull(Unavailable):
    """The file system has no room, or the quota is used up: nothing of the request was kept."""

    def __init__(self) -> None:
        super().__init__(
            "The storage is full; nothing of this request was kept. Try again when the operator has made room.",
            headers={"retry-after": "300"},
            reason="storage-full",
        )


class StorageFault(Unavailable):
    """The storage did not keep, or does not give back, the bytes it was given; nothing was acknowledged."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"retry-after": "60"}, reason="storage-fault")


class StorageUncertain(StorageFault):
    """The bytes were placed, but the storage does not confirm it: the same write must be tried again."""
