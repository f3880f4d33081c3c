"""From a kept document to the version of the standard a reader asks for.

What is kept may say all 1.3 can say. For 1.2 the few words it does not know are told in the nearest ones
(RDA DMP Common Standard, changes from 1.2 to 1.3).
"""

from __future__ import annotations

import copy
from typing import Any

from indigo_dmp.madmp import codes
from indigo_dmp.madmp.reading import Document
from indigo_dmp.madmp.schema import Version


def write(document: Document, version: Version) -> Document:
    """``document`` in the words of ``version``; the argument is left as it is."""
    if version == "1.3":
        return document
    result = copy.deepcopy(document)
    for dataset in result["dmp"]["dataset"]:
        for distribution in dataset.get("distribution", ()):
            if distribution["data_access"] == "restricted":
                distribution["data_access"] = "shared"
            if "host" in distribution:
                _host(distribution["host"])
    return result


def _host(host: dict[str, Any]) -> None:
    if "url" not in host:
        # 1.2 wants an address; the identifier of the host is the next best thing, no text the last.
        identifiers = host.get("host_id", [])
        host["url"] = next((one["identifier"] for one in identifiers), "")
    if "pid_system" in host:
        host["pid_system"] = [name if name in codes.PID_SYSTEMS else "other" for name in host["pid_system"]]
