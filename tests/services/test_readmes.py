"""What a service's README says of events is what the service does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from indigo_contracts.registry import FACTS
from indigo_suite.services import SERVICE_KINDS

ROOT = Path(__file__).parents[2]
FACT = re.compile(r"`((?:dmp|repository|pid|integrity|qos)\.[a-z]+\.[a-z]+\.v1)`")


def section(service: str, title: str) -> str:
    text = (ROOT / "services" / service / "README.md").read_text()
    assert f"## {title}\n" in text, f"the README of {service} lacks the section {title}"
    return text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("service", SERVICE_KINDS)
@pytest.mark.parametrize("title", ["Owns", "Commands", "Events out", "Events in", "Settings"])
def test_the_sections_are_there(service: str, title: str) -> None:
    assert section(service, title).strip()


@pytest.mark.parametrize("service", SERVICE_KINDS)
def test_the_events_it_takes_in_are_those_it_subscribes_to(service: str) -> None:
    told = set(FACT.findall(section(service, "Events in")))
    assert told == {fact.fact for fact in SERVICE_KINDS[service].receives()}


@pytest.mark.parametrize("service", SERVICE_KINDS)
def test_the_events_it_states_are_in_the_catalogue_and_in_its_code(service: str) -> None:
    told = set(FACT.findall(section(service, "Events out")))
    assert told <= set(FACTS)
    code = "\n".join(path.read_text() for path in (ROOT / "services" / service / "src").rglob("*.py"))
    stated = {name for name, model in FACTS.items() if name.startswith(service.split("-")[0] + ".")}
    assert told == {name for name in stated if re.search(rf"\b{FACTS[name].__name__}\b", code)}


@pytest.mark.parametrize("service", SERVICE_KINDS)
def test_its_queues_can_be_declared_beforehand(service: str) -> None:
    command = [sys.executable, "-m", f"indigo_{service.replace('-', '_')}", "topology"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    queues = {queue["name"] for queue in json.loads(printed)["queues"]}
    assert {each.queue for each in SERVICE_KINDS[service].example().subscriptions} <= queues
