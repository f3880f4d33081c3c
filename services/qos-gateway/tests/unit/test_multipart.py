"""Bodies in parts come out as they went in, however the network cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_kernel.problems import BadRequest
from indigo_qos_gateway.api.multipart import Parts
from starlette.requests import Request


def request(body, cuts, kind="multipart/mixed; boundary=b1"):
    pieces = [body[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    waiting = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive():
        return waiting.pop(0)

    return Request({"type": "http", "headers": [(b"content-type", kind.encode())]}, receive)


async def read(body, cuts=()):
    parts = Parts(request(body, cuts))
    found = []
    while (part := await parts.next()) is not None:
        found.append((part.headers, await part.read(1 << 20)))
    return found


DATA = st.binary(max_size=60).filter(lambda data: b"--b1" not in b"\r\n" + data)
NEAR = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--b", b"b1", b"x"]), max_size=12).map(b"".join)


@given(
    st.data(), st.lists(DATA | NEAR.filter(lambda data: b"\r\n--b1" not in b"\r\n" + data), min_size=1, max_size=3)
)
async def test_parts_come_out_as_they_went_in(data, values):
    body = b"preamble\r\n"
    for number, value in enumerate(values):
        body += b"--b1\r\nX-Number: %d\r\nContent-Type: a/b\r\n\r\n" % number + value + b"\r\n"
    body += b"--b1--\r\nepilogue"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    found = await read(body, cuts)
    assert [value for _, value in found] == values
    assert [headers["x-number"] for headers, _ in found] == [str(number) for number in range(len(values))]


async def test_a_part_nobody_read_is_passed_over():
    parts = Parts(request(b"--b1\r\n\r\none\r\n--b1\r\n\r\ntwo\r\n--b1--", ()))
    await parts.next()
    second = await parts.next()
    assert await second.read(10) == b"two"
    assert await parts.next() is None
    assert await parts.next() is None


@given(st.binary(max_size=200))
async def test_any_bytes_are_read_or_refused(body):
    try:
        await read(b"--b1\r\n" + body)
    except BadRequest:
        return


@pytest.mark.parametrize("kind", ["multipart/mixed", "multipart/mixed; boundary=", 'multipart/mixed; boundary="'])
def test_without_a_boundary(kind):
    with pytest.raises(BadRequest):
        Parts(request(b"", (), kind))
