"""Whether a record says what the plan says: one finding per difference."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from indigo_contracts.dmp import Person, PlannedOutput
from indigo_contracts.integrity import Finding
from indigo_contracts.repository import RecordSnapshot

from indigo_integrity.domain.licenses import same_license


def differences(output: PlannedOutput, record: RecordSnapshot, properties: list[str]) -> tuple[list[Finding], int]:
    """The differences in ``properties``, and how many of them the plan says something about.

    What the plan leaves open cannot be contradicted and is not counted.
    """
    findings: list[Finding] = []
    compared = 0
    for name in dict.fromkeys(properties):
        result = _COMPARE[name](output, record)
        if result is None:
            continue
        compared += 1
        findings += result
    return findings, compared


def _difference(name: str, message: str, expected: Any, observed: Any) -> Finding:
    code = "metadata-missing" if observed in (None, "", []) else "metadata-mismatch"
    return Finding(
        code=code,
        severity="error",
        message=message,
        location={"property": name},
        expected=expected,
        observed=observed,
    )


def folded(text: str) -> str:
    """Text for comparing: NFKC, case and white space folded."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _title(output: PlannedOutput, record: RecordSnapshot) -> list[Finding] | None:
    if folded(output.title) == folded(record.title):
        return []
    return [_difference("title", "the record has another title", output.title, record.title)]


def _license(output: PlannedOutput, record: RecordSnapshot) -> list[Finding] | None:
    if not output.license:
        return None
    if record.license and same_license(output.license, record.license):
        return []
    message = "the record is under another license" if record.license else "the record has no license"
    return [_difference("license", message, output.license, record.license)]


def _access(output: PlannedOutput, record: RecordSnapshot) -> list[Finding] | None:
    if output.access == record.access:
        return []
    message = f"{output.access} access is promised, the record's is {record.access}"
    return [_difference("access", message, output.access, record.access)]


def _format(output: PlannedOutput, record: RecordSnapshot) -> list[Finding] | None:
    """Each promised media type is that of some file (parameters and case do not count)."""
    if not output.formats:
        return None
    there = sorted({_media_type(file.mimetype) for file in record.files})
    return [
        _difference("format", f"no file of the record is {wanted}", wanted, there)
        for wanted in output.formats
        if _media_type(wanted) not in there
    ]


def _media_type(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def _creators(output: PlannedOutput, record: RecordSnapshot) -> list[Finding] | None:
    if not output.creators:
        return None
    return [
        _difference(
            "creators",
            f"{person.name} is not among the record's creators",
            person.name,
            [each.name for each in record.creators],
        )
        for person in output.creators
        if not any(_same_person(person, each) for each in record.creators)
    ]


def _same_person(one: Person, other: Person) -> bool:
    """By identifier when both have one, otherwise by name, also as "family, given"."""
    if one.identifier and other.identifier:
        return _identifier(one.identifier) == _identifier(other.identifier)
    return _name(one.name) == _name(other.name)


def _identifier(text: str) -> str:
    return re.sub(r"^(https?://)?(www\.)?", "", text.strip().lower()).rstrip("/").removeprefix("orcid.org/")


def _name(text: str) -> str:
    family, comma, given = folded(text).partition(",")
    return f"{given.strip()} {family.strip()}" if comma else folded(text)


_ISO_639_1 = {
    "eng": "en",
    "ita": "it",
    "deu": "de",
    "ger": "de",
    "fra": "fr",
    "fre": "fr",
    "spa": "es",
    "por": "pt",
}


def _language(output: PlannedOutput, record: RecordSnapshot) -> list[Finding] | None:
    """By primary subtag (BCP 47); the three-letter codes of maDMP equal their two-letter ones."""
    if not output.language:
        return None
    if record.language and _primary(output.language) == _primary(record.language):
        return []
    return [_difference("language", "the record is in another language", output.language, record.language)]


def _primary(tag: str) -> str:
    primary = re.split(r"[-_]", tag.strip().lower())[0]
    return _ISO_639_1.get(primary, primary)


def _keywords(output: PlannedOutput, record: RecordSnapshot) -> list[Finding] | None:
    if not output.keywords:
        return None
    there = {folded(word) for word in record.keywords}
    return [
        _difference("keywords", f"the keyword {word!r} is missing", word, record.keywords)
        for word in output.keywords
        if folded(word) not in there
    ]


_COMPARE: dict[str, Callable[[PlannedOutput, RecordSnapshot], list[Finding] | None]] = {
    "title": _title,
    "license": _license,
    "access": _access,
    "format": _format,
    "creators": _creators,
    "language": _language,
    "keywords": _keywords,
}
