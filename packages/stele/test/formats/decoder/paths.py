"""Keys to paths and paths to text, from spec/paths.md alone."""

from fractions import Fraction

from base import need

TEXTS = range(0x20, 0x100)


def read_path(key):
    """The segments of a key: bool, int, Fraction (a number that is no integer), bytes, str."""
    need(key[:1] == b"\x02", "a key of another keyspace")
    need(len(key) <= 1 + 1024, "a key that is too long")
    segments, at = [], 1
    while at < len(key):
        segment, at = read_segment(key, at)
        segments.append(segment)
    need(len(segments) <= 64, "too many segments")
    return segments


def read_segment(key, at):
    tag = key[at]
    if tag in (0x02, 0x03):
        return tag == 0x03, at + 1
    if tag == 0x06:
        return 0, at + 1
    if tag in (0x05, 0x07):
        return read_number(key, at + 1, tag == 0x05)
    if tag == 0x08:
        return read_escaped(key, at + 1)
    need(tag == 0x1F or tag in TEXTS, f"unassigned tag {tag:02x}")
    content, end = read_escaped(key, at + (tag == 0x1F))
    need(content != b"" and (tag != 0x1F or content[0] not in TEXTS), "a tag in front of text that needs none")
    try:
        return content.decode("utf-8"), end
    except UnicodeDecodeError:
        need(False, "text that is no UTF-8")


def read_escaped(key, at):
    content = bytearray()
    while True:
        need(at < len(key), "a segment is cut")
        byte, at = key[at], at + 1
        if byte == 0:
            if key[at : at + 1] != b"\xff":
                return bytes(content), at
            at += 1
        content.append(byte)


def read_number(key, at, negative):
    def byte():
        nonlocal at
        need(at < len(key), "a number is cut")
        at += 1
        return key[at - 1] ^ (0xFF if negative else 0)

    first = byte()
    if first in (0x0F, 0xF0):
        exponent = byte() * 256 + byte() - 0x8000
        need(-1074 <= exponent < -112 if first == 0x0F else exponent > 111, "a long exponent")
    else:
        need(0x10 <= first <= 0xEF, "an unassigned exponent")
        exponent = first - 0x80
    mantissa, bits, more = 1, 0, True
    while more:
        group = byte()
        more = group % 2 == 1
        mantissa, bits = mantissa << 7 | group >> 1, bits + 7
    need(mantissa % 128 != 0 or bits == 7, "a group of zero at the end")
    value = Fraction(mantissa, 1 << bits) * Fraction(2) ** exponent
    if value.denominator == 1:
        value = value.numerator
    else:
        try:
            need(Fraction(float(value)) == value, "a fraction that is no double")
        except OverflowError:
            need(False, "a fraction that is no double")
    return (-value if negative else value), at


def write_path(segments):
    """The canonical text."""
    return "/".join(write_segment(segment) for segment in segments)


def write_segment(segment):
    if isinstance(segment, bool):
        return "#true" if segment else "#false"
    if isinstance(segment, int):
        return f"#{segment}"
    if isinstance(segment, Fraction):
        return "#" + ecmascript(float(segment))
    if isinstance(segment, bytes):
        return "0x" + segment.hex()
    escaped = segment.replace("\\", "\\\\").replace("/", "\\/")
    return "\\" + segment if escaped == segment and is_special(segment) else escaped


def is_special(text):
    if text[:2] == "0x":
        digits = text[2:]
        return len(digits) % 2 == 0 and all(c in "0123456789abcdefABCDEF" for c in digits)
    return text in ("#true", "#false") or (text[:1] == "#" and is_json_number(text[1:]))


def is_json_number(text):
    """RFC 8259, section 6."""
    digits = lambda s: s != "" and all(c in "0123456789" for c in s)
    rest = text[1:] if text[:1] == "-" else text
    rest, e, exponent = rest.replace("E", "e").partition("e")
    whole, point, fraction = rest.partition(".")
    if not digits(whole) or (len(whole) > 1 and whole[0] == "0"):
        return False
    if point and not digits(fraction):
        return False
    return not e or digits(exponent[1:] if exponent[:1] in ("+", "-") else exponent)


def ecmascript(value):
    """ECMA-262, Number::toString: the shortest digits that come back, which Python finds too, in another dress."""
    sign, digits = ("-", repr(-value)) if value < 0 else ("", repr(value))
    mantissa, _, exponent = digits.partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)
    stripped = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(stripped)
    stripped = stripped.rstrip("0")
    if 0 < point <= 21:
        if len(stripped) <= point:
            return sign + stripped.ljust(point, "0")
        return f"{sign}{stripped[:point]}.{stripped[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{stripped}"
    tail = f".{stripped[1:]}" if len(stripped) > 1 else ""
    return f"{sign}{stripped[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"
