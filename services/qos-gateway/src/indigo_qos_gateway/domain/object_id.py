"""CDMI object identifiers: how they are made and how their checksum is tested.

Source: CDMI 1.1.1, clause 5.10: byte 0 is zero, bytes 1 to 3 the enterprise number, byte 4 zero, byte 5 the
length, bytes 6 and 7 the CRC, the rest opaque. The CRC is CRC-16/ARC over all bytes with its own field zero.
"""

from __future__ import annotations

import hashlib

_HEADER = 8
_MOST = 40
_OPAQUE = 16


def _table() -> tuple[int, ...]:
    entries = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        entries.append(crc)
    return tuple(entries)


_TABLE = _table()


def crc16(data: bytes) -> int:
    """CRC-16/ARC: polynomial 0x8005 reflected, start 0, no final inversion."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def object_id(enterprise: int, opaque: bytes) -> str:
    """The identifier with this IANA enterprise number and opaque part, in upper-case hexadecimal.

    Raises ``ValueError`` when the number does not fit in 3 bytes or the opaque part is empty or over 32 bytes.
    """
    length = _HEADER + len(opaque)
    if not opaque or length > _MOST:
        raise ValueError(f"the opaque part of an object ID has 1 to {_MOST - _HEADER} bytes")
    if not 0 < enterprise < 1 << 24:
        raise ValueError("an enterprise number in an object ID has 1 to 3 bytes")
    head = b"\0" + enterprise.to_bytes(3, "big") + b"\0" + bytes([length])
    crc = crc16(head + b"\0\0" + opaque)
    return (head + crc.to_bytes(2, "big") + opaque).hex().upper()


def object_id_of(enterprise: int, name: str) -> str:
    """The identifier of something whose name never changes, such as a capability object."""
    return object_id(enterprise, hashlib.sha256(name.encode()).digest()[:_OPAQUE])


def is_object_id(text: str) -> bool:
    """Whether ``text`` has the form, the length and the CRC of an object identifier."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return False
    if len(raw) * 2 != len(text) or not _HEADER < len(raw) <= _MOST:
        return False
    well_formed = raw[0] == 0 and raw[4] == 0 and raw[5] == len(raw)
    return well_formed and crc16(raw[:6] + b"\0\0" + raw[8:]) == int.from_bytes(raw[6:8], "big")
