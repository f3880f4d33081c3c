"""The pages people see, in a browser: wide and narrow, light and dark."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from indigo_suite.damage import damage, stored_file
from indigo_suite.researcher import Plan, Researcher, names_of
from indigo_testing.browser import assert_whole
from indigo_testing.deployments import free_block, standalone
from indigo_testing.story import FOLDERS, by_name, eventually, new_plan, reserved

EXAMPLE = Path(__file__).parents[2] / "examples" / "penguins"
NARROW, WIDE = 360, 1280

STATUS = {
    "plan": 200,
    "plan through the front door": 200,
    "version of a plan": 200,
    "plan that is not there": 404,
    "withdrawn plan": 410,
    "dataset": 200,
    "software": 200,
    "dmp": 200,
    "record that is not there": 404,
    "withdrawn record": 410,
    "tombstone of an identifier": 410,
    "identifier nobody knows": 404,
    "reference": 200,
    "front door": 200,
}


class Pages(dict[str, str]):
    """Addresses by the names in ``STATUS``."""

    ports: range


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pages(tab, tmp_path_factory) -> AsyncIterator[Pages]:
    """A suite in which a plan was kept, a file is damaged, and another plan was withdrawn."""
    folder = tmp_path_factory.mktemp("suite")
    with standalone(folder, free_block()) as suite:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            researcher = Researcher(http, suite.endpoints, suite.token())
            found = await _kept_and_damaged(researcher, suite.data.repository, tmp_path_factory.mktemp("kept"))
            found |= await _withdrawn(researcher, http, tmp_path_factory.mktemp("withdrawn"))
        front = suite.addresses.front
        found |= {
            "plan through the front door": found["plan"].replace(suite.endpoints.dmp, f"{front}/dmp"),
            "plan that is not there": f"{front}/dmp/plans/0",
            "record that is not there": f"{front}/repository/records/0",
            "identifier nobody knows": f"{front}/pid/10.5072/{'never-given-' * 12}",
            "reference": f"{front}/repository/docs",
            "front door": f"{front}/",
        }
        pages = Pages(found)
        pages.ports = range(suite.addresses.port, suite.addresses.port + 6)
        yield pages


async def _kept_and_damaged(researcher: Researcher, store: Path, folder: Path) -> dict[str, str]:
    plan = await researcher.publish_plan(await researcher.write_plan(new_plan(EXAMPLE, folder)))
    drafts = await reserved(researcher, plan)
    for output, files in FOLDERS.items():
        await researcher.deposit(drafts[output], EXAMPLE / files)
    await _until(researcher, plan, "kept")
    damage(stored_file(store, drafts["measurements"], "penguins.csv"))
    await researcher.check_fixity(drafts["measurements"])
    await _until(researcher, plan, "broken")
    snapshot = await researcher.get(f"{researcher.at.dmp}/plans/{plan.plan_id}")
    records = {each["kind"]: each["id"] for each in await researcher.records(plan)}
    return {
        "plan": snapshot["url"],
        "version of a plan": f"{snapshot['url']}/versions/{snapshot['version']}",
        **{kind: f"{researcher.at.repository}/records/{records[kind]}" for kind in records},
    }


async def _until(researcher: Researcher, plan: Plan, state: str) -> None:
    """Wait until the promises that damage breaks are in ``state``."""
    await eventually(
        lambda: researcher.promises(plan),
        lambda promises: (
            {by_name(promises)[f"measurements/{name}"]["state"] for name in ("record", "files")} == {state}
        ),
        f"promises that are {state}",
    )


async def _withdrawn(researcher: Researcher, http: httpx.AsyncClient, folder: Path) -> dict[str, str]:
    plan = await researcher.publish_plan(await researcher.write_plan(new_plan(EXAMPLE, folder)))

    async def preserved() -> list[dict]:
        records = await researcher.records(plan)
        return [each for each in records if each["kind"] == "dmp" and "doi" in each.get("pids", {})]

    (record,) = await eventually(preserved, bool, "a record of the plan with its identifiers")
    handle, _ = names_of(record)
    url = f"{researcher.at.dmp}/plans/{plan.plan_id}"
    version = (await researcher.call("GET", url)).headers["etag"]
    await researcher.call(
        "POST", f"{url}/withdraw", json={"reason": "The season was canceled."}, headers={"if-match": version}
    )
    name = f"{researcher.at.pid}/{handle}"

    async def status() -> int:
        return (await http.head(name)).status_code

    await eventually(status, lambda code: code == 410, "a tombstone")
    return {
        "withdrawn plan": url,
        "withdrawn record": f"{researcher.at.repository}/records/{record['id']}",
        "tombstone of an identifier": name,
    }


@pytest.mark.parametrize(("width", "dark"), [(NARROW, False), (WIDE, True)], ids=["narrow-light", "wide-dark"])
@pytest.mark.parametrize("name", STATUS)
async def test_a_page_is_whole(tab, pages: Pages, name: str, width: int, dark: bool) -> None:
    seen = tab.show(pages[name], width=width, dark=dark)
    assert_whole(seen, STATUS[name])
    asked = {urlsplit(url) for url in seen.requests if not url.startswith("data:")}
    assert {(url.hostname, url.port in pages.ports) for url in asked} == {("127.0.0.1", True)}


async def test_the_plan_page_tells_of_the_damage(tab, pages: Pages) -> None:
    text = tab.show(pages["plan"]).text
    assert re.search(r"\d+ of 14 promises kept, [1-9]\d* broken", text)
    assert "penguins.csv" in text
    assert "Found damaged: penguins.csv" in tab.show(pages["dataset"]).text


async def test_the_keyboard_reaches_everything_and_shows_where_it_is(tab, pages: Pages) -> None:
    tab.show(pages["plan"], width=NARROW)
    reachable = tab.value("document.querySelectorAll('a[href], [tabindex]').length")
    seen = []
    for _ in range(reachable):
        tab.press_tab()
        seen.append(
            tab.value("""(() => {
                const here = document.activeElement, box = here.getBoundingClientRect();
                return [here.innerText.slice(0, 40), getComputedStyle(here).outlineStyle,
                        box.left >= 0 && box.right <= innerWidth + 1];
            })()""")
        )
    assert seen[0][0] == "Skip to the content"
    assert [each for each in seen if each[1:] != ["solid", True]] == []
