"""The outputs a plan promises, read out of its document."""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from indigo_contracts.dmp import OutputExtension, OutputKind, Person, PlannedOutput

Document = dict[str, Any]

_SOFTWARE_TYPES = {
    "http://purl.org/coar/resource_type/c_5ce6",
    "https://purl.org/coar/resource_type/c_5ce6",
    "sourcecode",
    "source code",
}
_SCHEMES = {
    "orcid": "https://orcid.org/",
    "ror": "https://ror.org/",
    "isni": "https://isni.org/isni/",
    "doi": "https://doi.org/",
}
_MOST_KEY_CHARACTERS = 63


def with_keys(document: Document, before: Document | None = None) -> Document:
    """A copy in which every dataset has ``indigo.key``.

    A key the document gives stands. Otherwise a dataset keeps the key it had ``before``, told by its
    dataset_id, then by its title; a new one gets a key made from its title. So a tool that drops the
    extension does not turn one output into another.
    """
    result = copy.deepcopy(document)
    datasets: list[dict[str, Any]] = result["dmp"]["dataset"]
    taken = {key for dataset in datasets if (key := _given(dataset))}
    known = before["dmp"]["dataset"] if before else []
    for by in (_identity, _title):
        old = {by(dataset): _given(dataset) for dataset in reversed(known)}
        for dataset in datasets:
            key = old.get(by(dataset))
            if _given(dataset) is None and key is not None and key not in taken:
                _give(dataset, key, taken)
    # A key that was in use once is not given to another output.
    reserved = {key for dataset in known if (key := _given(dataset))}
    for dataset in datasets:
        if _given(dataset) is None:
            _give(dataset, _unused(slug(dataset["title"]), taken | reserved), taken)
    return result


def planned_outputs(document: Document) -> list[PlannedOutput]:
    """What the plan promises to publish, in the order of the document. Reused datasets are not promised."""
    dmp = document["dmp"]
    return [_output(dmp, dataset) for _, dataset in promised_datasets(with_keys(document))]


def promised_datasets(document: Document) -> Iterator[tuple[int, dict[str, Any]]]:
    """Index and dataset of each promised output."""
    for index, dataset in enumerate(document["dmp"]["dataset"]):
        if not dataset.get("is_reused", False):
            yield index, dataset


def slug(title: str) -> str:
    """A key made from a title: ASCII letters and digits in lower case, joined with hyphens."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MOST_KEY_CHARACTERS].strip("-") or "output"


def person(entry: dict[str, Any], id_field: str) -> Person:
    """A contact, contributor or creator. Of several identifiers the first is taken."""
    identifiers = entry.get(id_field) or []
    first = identifiers[0] if isinstance(identifiers, list) and identifiers else identifiers
    affiliations = entry.get("affiliation") or []
    return Person(
        name=entry["name"],
        identifier=identifier_uri(first) if first else None,
        email=entry.get("mbox"),
        roles=list(entry.get("role", ())),
        affiliation=affiliations[0]["name"] if affiliations else None,
    )


def identifier_uri(identifier: dict[str, Any]) -> str | None:
    """An identifier as URI where its type has one, as it stands otherwise; None when it is blank."""
    text: str = identifier["identifier"].strip()
    if not text or "://" in text:
        return text or None
    return _SCHEMES.get(identifier["type"].strip().lower(), "") + text


def kind_of(dataset: dict[str, Any]) -> OutputKind:
    """What the extension says, else software when the maDMP type says so, else dataset."""
    said = (dataset.get("indigo") or {}).get("kind")
    if said:
        return OutputKind(said)
    declared = dataset.get("type", "").strip().lower()
    is_software = "software" in declared or declared in _SOFTWARE_TYPES
    return OutputKind.SOFTWARE if is_software else OutputKind.DATASET


def _output(dmp: dict[str, Any], dataset: dict[str, Any]) -> PlannedOutput:
    extension = OutputExtension.model_validate(dataset["indigo"])
    assert extension.key is not None
    distributions: list[dict[str, Any]] = dataset.get("distribution", [])
    sizes = [one["byte_size"] for one in distributions if one.get("byte_size", -1) >= 0]
    licenses = [license_["license_ref"] for one in distributions for license_ in one.get("license", ())]
    formats = dict.fromkeys(name for one in distributions for name in one.get("format", ()))
    return PlannedOutput(
        key=extension.key,
        kind=kind_of(dataset),
        title=dataset["title"],
        description=dataset.get("description"),
        language=dataset.get("language"),
        keywords=list(dataset.get("keyword", ())),
        creators=_creators(dmp, dataset),
        license=licenses[0] if licenses else None,
        access=_access(distributions),
        formats=list(formats),
        byte_size=sizes[0] if sizes else None,
        due=date.fromisoformat(dataset["issued"]) if "issued" in dataset else None,
        structure=extension.structure,
        taxa=extension.taxa,
        storage=extension.storage,
        tests=extension.tests,
    )


def _creators(dmp: dict[str, Any], dataset: dict[str, Any]) -> list[Person]:
    """The dataset's creators; a plan written before 1.2 cannot name them, then those who work on the plan."""
    if dataset.get("creator"):
        return [person(one, "creator_id") for one in dataset["creator"]]
    if dmp.get("contributor"):
        return [person(one, "contributor_id") for one in dmp["contributor"]]
    return [person(dmp["contact"], "contact_id")]


def _access(distributions: list[dict[str, Any]]) -> Literal["open", "restricted", "closed"]:
    declared = distributions[0]["data_access"] if distributions else "open"
    if declared in {"shared", "restricted"}:
        return "restricted"
    return "closed" if declared == "closed" else "open"


def _given(dataset: dict[str, Any]) -> str | None:
    key: str | None = (dataset.get("indigo") or {}).get("key")
    return key


def _give(dataset: dict[str, Any], key: str, taken: set[str]) -> None:
    dataset["indigo"] = {**(dataset.get("indigo") or {}), "key": key}
    taken.add(key)


def _identity(dataset: dict[str, Any]) -> tuple[str, str] | None:
    identifier = dataset["dataset_id"]
    text = identifier["identifier"].strip()
    return (identifier["type"], text) if text else None


def _title(dataset: dict[str, Any]) -> str:
    title: str = dataset["title"].strip()
    return title


def _unused(key: str, taken: set[str]) -> str:
    if key not in taken:
        return key
    number = 2
    while (candidate := f"{key[: _MOST_KEY_CHARACTERS - len(str(number)) - 1]}-{number}") in taken:
        number += 1
    return candidate
