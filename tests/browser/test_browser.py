"""The browser reports what is wrong with a page; otherwise no page's test could fail."""

from __future__ import annotations

from urllib.parse import quote

FAULTY = """<!doctype html><title>t</title><meta http-equiv="content-security-policy" content="script-src 'none'">
<h3>Skipped</h3><p style="color: #aaa; background: #fff">Faint</p><p style="width: 700px">Wide</p>
<div class="scroll" style="overflow: auto"><p style="width: 900px">Wide, in a box</p></div>
<img src="http://127.0.0.1:9/picture.png"><script>1</script>"""


async def test_faults_are_seen(tab) -> None:
    seen = tab.show(f"data:text/html,{quote(FAULTY)}", width=360)
    assert seen.overflow > 300
    assert [each[:20] for each in seen.sticking_out] == ['<p style="width: 700']
    assert [each.startswith("2.3: <p") for each in seen.faint] == [True]
    assert seen.headings == [(3, "Skipped")]
    assert (seen.title, seen.lang) == ("t", "")
    assert "http://127.0.0.1:9/picture.png" in seen.requests
    assert any("Content Security Policy" in each for each in seen.complaints)
    assert any("picture.png" in each for each in seen.complaints)


async def test_dark_and_light_are_what_the_page_is_told(tab) -> None:
    page = "data:text/html," + quote(
        "<style>@media (prefers-color-scheme: dark) { p { display: none } }</style><p>Light"
    )
    assert (tab.show(page).text.strip(), tab.show(page, dark=True).text.strip()) == ("Light", "")
