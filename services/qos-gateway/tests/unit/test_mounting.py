"""The file of mounts."""

import pytest
from indigo_qos_gateway.adapters.mounting import read_mounts

CEPH = """
[[mount]]
prefix = "/cloud"
name = "cloud"
type = "ceph"
site = "IFCA"
country = "ES"
endpoint = "https://rgw.example.org"
bucket = "indigo"
access_key_file = "access"
secret_key_file = "secret"
landing_class = "Hot"

[mount.classes.Hot]
native = "STANDARD"
redundancy = 3
latency_ms = 20

[mount.classes.Cold]
native = "COLD"
"""


def read(tmp_path, text):
    path = tmp_path / "mounts.toml"
    path.write_text(text)
    return read_mounts(path, None)


async def test_a_mount_is_a_back_end_at_its_place(tmp_path):
    (mount,) = read(tmp_path, CEPH)
    assert (mount.prefix, mount.backend.name, mount.backend.kind, mount.backend.site) == (
        "/cloud",
        "cloud",
        "Ceph",
        "IFCA",
    )
    hot = next(each for each in mount.backend.classes() if each.name == "Hot")
    assert hot.metadata == {
        "cdmi_latency": "20",
        "cdmi_data_redundancy": "3",
        "cdmi_geographic_placement": ["ES"],
    }
    assert mount.backend.landing_class == "Hot"
    await mount.backend.close()


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (('type = "ceph"', 'type = "floppy"'), "floppy"),
        (('prefix = "/cloud"', 'prefix = "/a/b"'), "prefix"),
        (('landing_class = "Hot"', 'landing_class = "Warm"'), "landing_class is one of the classes"),
        (('native = "COLD"', 'native = "STANDARD"'), "the same native"),
        (('native = "COLD"', 'native = "COLD"\nspeed = 3'), "speed"),
        (('country = "ES"', 'country = "Spain"'), "country"),
        (("[[mount]]", "[[mount]"), "no TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, change, wrong):
    with pytest.raises(ValueError, match=wrong) as caught:
        read(tmp_path, CEPH.replace(*change))
    assert "mounts.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "kind", "more"),
    [
        ("dcache", "dCache", ""),
        ("wlcg-tape", "StoRM", ""),
        ("wlcg-tape", "CTA", 'kind = "CTA"'),
        ("storm", "StoRM", 'rest_token_file = "t"\nvo = "biomed"'),
    ],
)
async def test_tape_systems_are_a_door_and_an_api(tmp_path, name, kind, more):
    (mount,) = read(
        tmp_path,
        f"""
[[mount]]
prefix = "/tape"
name = "tape"
type = "{name}"
door_url = "https://door.example.org"
api_url = "https://api.example.org/api/v1"
base = "/vo"
token_file = "token"
{more}
""",
    )
    assert mount.backend.kind == kind
    await mount.backend.close()


async def test_two_mounts_need_two_names(tmp_path):
    with pytest.raises(ValueError, match="a name of its own"):
        read(tmp_path, CEPH + CEPH.replace('"/cloud"', '"/other"'))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        read_mounts(tmp_path / "nothing.toml", None)
