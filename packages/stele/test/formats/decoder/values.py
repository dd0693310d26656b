"""Values from their bytes, from spec/values.md alone, described so that every language can compare: lists that begin with a kind."""

import struct

from base import Damaged, need, varint

TEXTS = {0x10: 0, 0x11: 1, 0x12: 2}
NAN = b"\x00\x00\x00\x00\x00\x00\xf8\x7f"


class Newer(Damaged):
    """Whole, and for a later version."""


def read_value(data):
    need(len(data) <= 64 << 20, "a value that is too long")
    value, at = read_at(data, 0, True, 0)
    need(at == len(data), "bytes behind the value")
    return value


def read_at(data, at, outermost, depth):
    need(at < len(data), "a value is missing")
    tag, at = data[at], at + 1
    if tag == 0x1F:
        raise Newer("an encrypted value")
    if tag in (0x04, 0x05, 0x06) or tag >= 0x80:
        number, at = read_number(data, tag, at)
        return ["number", struct.pack(">d", number).hex()], at
    if tag == 0x01:
        return ["null"], at
    if tag in (0x02, 0x03):
        return ["boolean", tag == 0x03], at
    if tag == 0x15:
        need(at < len(data) and (data[at] in (0x04, 0x05, 0x06) or data[at] >= 0x80), "a date without its number")
        ms, at = read_number(data, data[at], at + 1)
        need(ms == ms and abs(ms) <= 8.64e15 and ms == int(ms) and str(ms) != "-0.0", "a date that is no date")
        return ["date", int(ms)], at
    if tag in (0x18, 0x19):
        need(depth < 200, "too many levels")
        count, at = varint(data, at, len(data))
        need(count * (tag - 0x17) <= len(data) - at, "more elements than bytes")
        return (read_array if tag == 0x18 else read_object)(data, count, at, depth + 1)
    need(tag in (0x08, 0x09, 0x14) or tag in TEXTS, f"unassigned tag {tag:02x}")
    end = len(data)
    if not outermost:
        length, at = varint(data, at, len(data))
        end = at + length
    need(end <= len(data), "a value is cut")
    content = data[at:end]
    if tag == 0x14:
        return ["bytes", content.hex()], end
    if tag in TEXTS:
        return read_text(content, TEXTS[tag]), end
    need(content[-1:] != b"\x00", "a bigint with zeros at its end")
    magnitude = int.from_bytes(content, "little")
    return ["bigint", str(magnitude if tag == 0x08 else -1 - magnitude)], end


def read_number(data, tag, at):
    """(value as a float, position behind)"""
    if tag >= 0x80:
        return float(tag - 0x80), at
    if tag != 0x06:
        value, at = varint(data, at, len(data))
        need(tag == 0x05 or value >= 128, "a small number in a long form")
        return float(value if tag == 0x04 else -1 - value), at
    need(at + 8 <= len(data), "a double is cut")
    bits = data[at : at + 8]
    value = struct.unpack("<d", bits)[0]
    need(value == value or bits == NAN, "another NaN")
    whole = abs(value) <= 2.0**48 and value == int(value) and value != 2.0**48 and bits != struct.pack("<d", -0.0)
    need(not whole, "a whole number as a double")
    return value, at + 8


def read_text(content, kind):
    if kind == 0:
        return ["text", content.decode("latin-1")]
    try:
        if kind == 1:
            need(any(byte >= 0x80 for byte in content), "ASCII marked as UTF-8")
            return ["text", content.decode("utf-8")]
        content.decode("utf-16-le")
    except UnicodeDecodeError as error:
        need(kind == 2 and len(content) % 2 == 0, f"text that is not well-formed: {error}")
        return ["units", content.hex()]
    raise Damaged("well-formed text marked as ill-formed")


def read_array(data, count, at, depth):
    values = []
    for _ in range(count):
        value, at = read_at(data, at, False, depth)
        values.append(value)
    return ["array", values], at


def read_object(data, count, at, depth):
    members = {}
    for _ in range(count):
        head, at = varint(data, at, len(data))
        kind, end = head % 4, at + head // 4
        need(kind < 3 and end <= len(data), "a name")
        name = tuple(read_text(data[at:end], kind))
        value, at = read_at(data, end, False, depth)
        members[name] = value
    indices = sorted((name for name in members if is_index(name)), key=lambda name: int(name[1]))
    names = indices + [name for name in members if not is_index(name)]
    return ["object", [[list(name), members[name]] for name in names]], at


def is_index(name):
    """ECMA-262: the names that an object lists first, by value."""
    kind, text = name
    return kind == "text" and text.isascii() and text.isdigit() and str(int(text)) == text and int(text) < 2**32 - 1
