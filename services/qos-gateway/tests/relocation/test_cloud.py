"""Objects of a POSIX tree that a bucket takes over, and those of the bucket that come to the POSIX tree."""

import httpx
import pytest
from indigo_testing.object_stores import moto_server

DATA = bytes(range(256)) * 40_000
MOUNTS = """
[[mount]]
prefix = "/cloud"
name = "cloud"
type = "s3"
country = "ES"
endpoint = "{url}"
bucket = "{bucket}"
access_key_file = "{keys}/access"
secret_key_file = "{keys}/secret"
landing_class = "Warm"
look_seconds = 0.05
classes.Warm = {{ native = "STANDARD", latency_ms = 50 }}
classes.Archive = {{ native = "GLACIER", archive = true, latency_ms = 14400000 }}
"""


@pytest.fixture(scope="module")
def moto():
    with moto_server() as url:
        yield url


@pytest.fixture
def cloudy(moto, tmp_path):
    bucket = tmp_path.name.replace("_", "-").lower()[:60].strip("-")
    httpx.put(f"{moto}/{bucket}", trust_env=False).raise_for_status()
    for name in ("access", "secret"):
        (tmp_path / name).write_text("key\n")
    (tmp_path / "mounts.toml").write_text(MOUNTS.format(url=moto, bucket=bucket, keys=tmp_path))
    (tmp_path / "rules.toml").write_text(
        '[storage.posix]\ntakers = ["cloud"]\n[storage.cloud]\ntakers = ["posix"]\n'
    )

    def keys():
        listed = httpx.get(f"{moto}/{bucket}?list-type=2", trust_env=False).text
        return [each.partition("</Key>")[0] for each in listed.split("<Key>")[1:]]

    settings = {"mounts_file": tmp_path / "mounts.toml", "rules_file": tmp_path / "rules.toml"}
    return settings, keys


async def test_a_bucket_takes_over_and_gives_back(start_qos, cloudy):
    settings, keys = cloudy
    async with start_qos(**settings) as qos:
        await qos.store("/box/f", DATA)
        for name in ("Archive", "DiskOnly", "Warm", "TapeOnly", "Archive", "Warm"):
            await qos.bring("/box/f", name)
            found = await qos.cdmi("/box/f")
            assert found["capabilitiesURI"] == f"/cdmi_capabilities/dataobject/{name}"
            assert (await qos.cdmi("/box"))["children"] == ["f"]
        read = await qos.http.get("/box/f", headers=qos.auth() | {"range": "bytes=1000000-1000009"})
        assert read.content == DATA[1_000_000:1_000_010]
        assert (await qos.cdmi("/cloud"))["children"] == []
        await qos.bring("/box/f", "DiskOnly")
        assert not [key for key in keys() if not key.endswith("/")]
        assert (qos.directory / "disk/box/f").read_bytes() == DATA


async def test_what_is_in_a_bucket_comes_to_disk_and_tape(start_qos, cloudy):
    settings, keys = cloudy
    async with start_qos(**settings) as qos:
        await qos.store("/cloud/box/f", DATA)
        await qos.bring("/cloud/box/f", "DiskAndTape")
        assert not [key for key in keys() if not key.endswith("/")]
        assert (await qos.cdmi("/cloud/box"))["children"] == ["f"]
        assert (await qos.http.delete("/cloud/box/", headers=qos.auth())).status_code == 204
        await qos.work_off()
        assert not [each for each in (qos.directory / "disk").rglob("cdmi_moved/*/*/*") if each.is_file()]
        assert [name for name, _ in await qos.facts()] == ["requested", "completed"]


async def test_parts_of_a_listing_are_all_of_it_whoever_keeps_the_objects(start_qos, cloudy):
    settings, _ = cloudy

    async def listed(qos):
        found = []
        while part := (await qos.cdmi(f"/cloud/box?children:{len(found)}-{len(found) + 1}"))["children"]:
            found += part
        return found

    async with start_qos(**settings) as qos:
        for name in "abcde":
            await qos.store(f"/cloud/box/{name}", b"x")
        assert await listed(qos) == list("abcde")
        shown = await qos.cdmi("/cloud/box?children:1-2;childrenrange")
        assert shown == {"childrenrange": "1-2", "children": ["b", "c"]}
        await qos.bring("/cloud/box/b", "DiskOnly")
        assert await listed(qos) == list("abcde")
