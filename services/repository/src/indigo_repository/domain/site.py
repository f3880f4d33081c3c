"""Addresses of this repository's pages and resources."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Site:
    """``base_url`` is the public address without a trailing slash; ``publisher`` who publishes by default."""

    base_url: str
    publisher: str

    def landing(self, record_id: str) -> str:
        return f"{self.base_url}/records/{record_id}"

    def api(self, record_id: str) -> str:
        return f"{self.base_url}/api/records/{record_id}"

    def draft(self, record_id: str) -> str:
        return f"{self.api(record_id)}/draft"

    def content(self, record_id: str, key: str) -> str:
        """Where the bytes of a published file are; a slash of the key stays a slash."""
        return f"{self.api(record_id)}/files/{quote(key)}/content"

    def draft_file(self, record_id: str, key: str) -> str:
        return f"{self.draft(record_id)}/files/{quote(key)}"
