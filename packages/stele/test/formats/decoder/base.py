"""What all formats share: integers, CRC, varints, and one error.

Written from spec/log-format.md and spec/file-format.md alone, with nothing but Python's standard library, so that the
specification is shown to be enough for a second implementation.
"""

import hashlib
import sys
import zlib

# Integers may have more digits than newer Pythons print unasked.
getattr(sys, "set_int_max_str_digits", lambda digits: None)(0)


class Damaged(Exception):
    """The bytes are not what the specification says."""


def need(condition, message):
    if not condition:
        raise Damaged(message)


def u16(b, at):
    return int.from_bytes(b[at : at + 2], "little")


def u32(b, at):
    return int.from_bytes(b[at : at + 4], "little")


def u48(b, at):
    return int.from_bytes(b[at : at + 6], "little")


def le(value, size):
    return value.to_bytes(size, "little")


def be(value, size):
    return value.to_bytes(size, "big")


def crc(data, seed=0):
    return zlib.crc32(data, seed)


def sha(data):
    return hashlib.sha256(data).digest()


def zeros(b, start, end, what):
    need(not any(b[start:end]), f"{what}: bytes {start} to {end} are not zero")


def varint(b, at, end):
    """Unsigned LEB128 below 2^48, shortest form only: (value, position behind)."""
    value = 0
    for i in range(7):
        need(at + i < end, "a varint is cut")
        byte = b[at + i]
        value += (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            need(i == 0 or byte != 0, "a varint is not in its shortest form")
            need(value < 1 << 48, "a varint is too large")
            return value, at + i + 1
    raise Damaged("a varint is too long")


def value_of(data):
    """Values in the output: short ones as they are, long ones by length and hash."""
    if len(data) <= 64:
        return {"bytes": len(data), "hex": data.hex()}
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def version_table(b):
    """spec/log-format.md, "Version tables": the same shape in entries and records."""
    end = len(b)
    need(end > 0 and b[0] in (1, 2), "a version table of unknown kind")
    index, at = varint(b, 1, end)
    need(at < end, "a version table is cut")
    count = b[at]
    at += 1
    need(count <= 10, "a version table of too many levels")
    levels = []
    for _ in range(count):
        need(at + 3 <= end, "a version table is cut")
        left, list_end = b[at], at + 3 + u16(b, at + 1)
        need(left <= 32 and list_end <= end, "a list of a version table is too long")
        at += 3
        commit = 0
        elements = []
        for k in range(left):
            step, at = varint(b, at, list_end)
            need(k == 0 or step > 0, "commits of a version table do not ascend")
            commit += step
            place, at = varint(b, at, list_end)
            later = 0
            if place % 2 == 1:
                later, at = varint(b, at, list_end)
            elements.append([commit, commit + later, place // 2, place % 2 == 1])
        need(at == list_end, "a list of a version table ends elsewhere")
        levels.insert(0, elements)
    need(at == end, "bytes behind a version table")
    return {"saved": b[0] == 2, "index": index, "levels": levels}
