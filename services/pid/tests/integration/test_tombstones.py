"""What is said of something gone, to people and to programs."""

from __future__ import annotations

import pytest
from indigo_contracts.repository import RecordPublished, RecordState, RecordWithdrawn

TARGET = "https://data.example.org/42"
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def end(pid, made, **params):
    headers = {**pid.auth("pid:mint"), "if-match": "*"}
    return await pid.http.delete(
        f"/api/identifiers/{made['handle']}", params={"reason": "lost", **params}, headers=headers
    )


async def test_a_citation_and_a_replacement_are_told(pid):
    made, better = await pid.mint(target=TARGET), await pid.mint(target=TARGET + "/new")
    gone = await end(pid, made, citation="Ana (2026): Wa<b>ter", replacement=better["ark"])
    assert gone.status_code == 200, gone.text
    told = (await pid.http.get(f"/{made['handle']}")).json()
    expected = {
        "reason": "lost",
        "citation": "Ana (2026): Wa<b>ter",
        "replacement": {"name": better["handle"], "url": better["resolver_url"]},
    }
    assert {name: told[name] for name in expected} == expected
    shown = (await pid.http.get(f"/{made['ark']}?noredirect")).json()["tombstone"]
    assert {name: shown[name] for name in expected} == expected
    for query in ("", "?noredirect"):
        page = await pid.http.get(f"/{made['handle']}{query}", headers=BROWSER)
        assert "Ana (2026): Wa&lt;b&gt;ter" in page.text
        assert f'<a href="{better["resolver_url"]}">{better["handle"]}</a>' in page.text
    assert (await pid.http.get(better["resolver_url"])).headers["location"] == TARGET + "/new"


async def test_a_withdrawn_record_is_cited_by_its_metadata(pid, record):
    live = record(state=RecordState.PUBLISHED)
    later = record("r2", state=RecordState.PUBLISHED, edition=2, previous="r1")
    await pid.deliver(RecordPublished(record=live), RecordPublished(record=later))
    gone = live.model_copy(update={"state": RecordState.WITHDRAWN, "version": 2})
    await pid.deliver(RecordWithdrawn(record=gone, reason="wrong sensor"))
    names = await pid.identifier_of("r1")
    told = (await pid.http.get(f"/{names['doi']}")).json()
    assert told["citation"].startswith("Carberry, J. (2026). Water quality of the reservoir")
    page = (await pid.http.get(f"/{names['doi']}", headers=BROWSER)).text
    assert "How to cite what was here" in page
    assert told["citation"].partition(" https")[0] in page
    assert f'/{names["concept"]}">{names["concept"]}</a>' in page


@pytest.mark.parametrize("face", ["handle", "ark", "doi.org", "resolver", "url"])
async def test_replacements_by_any_address(pid, face):
    made, better = await pid.mint(target=TARGET), await pid.mint(target=TARGET)
    given = {
        "handle": better["handle"].upper(),
        "ark": better["ark"],
        "doi.org": f"https://hdl.handle.net/{better['handle']}",
        "resolver": better["resolver_url"],
        "url": "https://example.org/new",
    }[face]
    gone = await end(pid, made, replacement=given)
    expected = given if face == "url" else better["handle"]
    assert gone.json()["tombstone"]["replacement"] == expected


async def test_replacements_never_lead_in_circles(pid):
    one, two = await pid.mint(target=TARGET), await pid.mint(target=TARGET)
    for itself in (one["handle"], one["resolver_url"], f"https://n2t.net/{one['ark']}"):
        assert (await end(pid, one, replacement=itself)).status_code == 422, itself
    assert (await end(pid, one, replacement=two["handle"])).status_code == 200
    for back in (one["handle"], one["resolver_url"], f"http://hdl.handle.net/{one['handle']}"):
        refused = await end(pid, two, replacement=back)
        assert refused.status_code == 422, back
        assert [each["pointer"] for each in refused.json()["errors"]] == ["/replacement"]
    reserved = await pid.mint()
    assert (await end(pid, two, replacement=reserved["handle"])).status_code == 422


async def test_a_target_is_no_detour_to_a_name_of_ours(pid):
    made = await pid.mint(target=TARGET)
    for detour in (f"https://hdl.handle.net/{made['handle']}", f"https://n2t.net/{made['ark']}"):
        answer = await pid.http.post("/api/identifiers", json={"target": detour}, headers=pid.auth("pid:mint"))
        assert [each["code"] for each in answer.json()["errors"]] == ["loop"]
