"""Segments, records, commit index, headers. Specification: spec/log-format.md."""

from base import Damaged, be, crc, le, need, sha, u16, u32, u48, value_of, varint, version_table, zeros

BLOCK = 16384


def read_segment_header(b, database_id):
    """None: the file holds no segment."""
    if len(b) < 256 or b[:8] != b"STELELOG" or u32(b, 252) != crc(b[:252]):
        return None
    need(u16(b, 8) == 1 and u32(b, 20) == 0, "a segment of a newer format")
    for start, end in ((10, 12), (78, 80), (94, 96), (134, 252)):
        zeros(b, start, end, "segment header")
    need(b[32:48].hex() == database_id, "a segment of another database")
    return {"number": u32(b, 24), "generation": u32(b, 28), "incarnation": b[48:64].hex(), "firstCommit": u48(b, 72),
            "previousEnd": u32(b, 80), "previousChain": u32(b, 84), "createdMs": u48(b, 88), "fileBytes": u48(b, 128)}  # fmt: skip


def read_segment_table(b):
    if not b:
        return []
    need(b[:8] == b"STELESEG" and u16(b, 8) == 1 and u16(b, 10) == 0, "segment table: head")
    count = u32(b, 12)
    need(len(b) == 20 + 36 * count and u32(b, len(b) - 4) == crc(b[:-4]), "segment table: length or checksum")
    rows = []
    for at in range(16, 16 + 36 * count, 36):
        need(b[at + 34] <= 1 and b[at + 35] == 0, "segment table: flags")
        rows.append({"number": u32(b, at), "slot": u32(b, at + 4), "generation": u32(b, at + 8), "firstCommit": u48(b, at + 12),
                     "lastCommit": u48(b, at + 18), "end": u32(b, at + 24), "fileBytes": u48(b, at + 28),
                     "sealed": b[at + 34] == 1})  # fmt: skip
    need(all(a["number"] < c["number"] for a, c in zip(rows, rows[1:])), "segment table: order")
    return rows


def find_segments(files, database_id):
    """By number; the greater generation counts."""
    found = {}
    for name, data in sorted(files.items()):
        header = read_segment_header(data, database_id)
        if header is None:
            continue
        other = found.get(header["number"])
        need(other is None or other["generation"] != header["generation"], "two files with one segment")
        if other is None or other["generation"] < header["generation"]:
            seed = crc(le(header["number"], 4) + le(header["generation"], 4), crc(bytes.fromhex(database_id)))
            header.update(name=name, data=data, secret=data[96:128], seed=seed)
            found[header["number"]] = header
    return found


class Reader:
    """Reads forward from the beginning of a segment over all that follow it. `commits`: whole ones, by number."""

    def __init__(self, segments, number):
        self.segments = segments
        self.segment = segments[number]
        self.at = 256
        self.chain = self.segment["previousChain"]
        self.group_end = None
        self.durable = (0, 0)
        self.commits = {}
        self.marks = []
        self.records = 0
        self.visited = [number]
        self.parts = []
        self.last = None
        while self.step():
            pass

    def step(self):
        if self.group_end is not None and self.at < self.group_end and self.record():
            return True
        start = (self.at + 7) // 8 * 8
        if self.group(start):
            return True
        following = self.segments.get(self.segment["number"] + 1)
        if following is None or (following["previousEnd"], following["previousChain"]) != (self.at, self.chain):
            return False
        self.segment = following
        self.visited.append(following["number"])
        self.at = 256
        self.group_end = None
        return True

    def head(self, at):
        """(length, kind, flags, commit, time) of a record that verifies here, else None."""
        b = self.segment["data"]
        if at + 26 > len(b):
            return None
        length = u32(b, at + 8)
        if length < 26 or length > 16 << 20 or at + length > len(b):
            return None
        if u32(b, at) != crc(b[at + 4 : at + length], crc(le(at, 4), self.segment["seed"])):
            return None
        need(u32(b, at + 4) == self.chain, f"record at {at} does not follow the chain")
        return length, b[at + 12], b[at + 13], u48(b, at + 14), u48(b, at + 20)

    def group(self, at):
        head = self.head(at)
        if head is None or head[1] != 1:
            return False
        b = self.segment["data"]
        need(head[0] == 46 and head[2] == 0 and u32(b, at + 42) >= 46, f"group at {at}")
        zeros(b, self.at, at, "bytes before a group")
        self.group_end = at + u32(b, at + 42)
        self.durable = max(self.durable, (u32(b, at + 26), u32(b, at + 30)))
        self.at = at + 46
        return True

    def record(self):
        at = self.at
        head = self.head(at)
        if head is None:
            return False
        length, kind, flags, commit, time = head
        b = self.segment["data"]
        need(at + length <= self.group_end, "a record crosses the end of its group")
        self.at = at + length
        if kind in (5, 8):
            need(flags == 0 and (kind == 8 or length == 26), f"mark at {at}")
            self.parts = []
            self.marks.append({"kind": kind, "commit": commit, "timeMs": time, "body": b[at + 26 : at + length]})
        else:
            need(kind in (2, 3, 4) and flags & ~15 == 0, f"record at {at} of kind {kind} with flags {flags}")
            self.commit(at, length, kind, flags, commit, time)
        self.chain = u32(b, at)
        self.records += 1
        return True

    def commit(self, at, length, kind, flags, number, time):
        part = Body(self.segment, at, length, kind, flags, number, time)
        self.at += part.payload_bytes
        need(self.at <= self.group_end, "a payload region crosses the end of its group")
        if part.first == (0, 0):
            self.parts = []
        elif self.parts:
            operations = sum(len(p.operations) for p in self.parts)
            carried = sum(len(p.carried) for p in self.parts)
            need((number, time, part.first) == (self.parts[0].number, self.parts[0].time, (operations, carried)), "parts do not fit")
        else:
            return  # its beginning lies in a segment that is gone
        self.parts.append(part)
        if kind == 3:
            return
        parts, self.parts = self.parts, []
        keys = [op["key"] for p in parts for op in p.operations]
        need(all(bytes.fromhex(x) < bytes.fromhex(y) for x, y in zip(keys, keys[1:])), f"commit {number}: keys do not ascend")
        if self.last is not None:
            need(number == self.last[0] + 1 and time >= self.last[1], f"commit {number} follows {self.last}")
        self.last = (number, time)
        self.commits[number] = parts


class Body:
    """One commit record with its payload region."""

    def __init__(self, segment, start, length, kind, flags, number, time):
        b = segment["data"]
        self.segment, self.start, self.number, self.time = segment, start, number, time
        self.base = crc(le(number, 6), crc(le(start, 4), segment["seed"]))
        end = start + length
        at = start + 26
        self.first = (0, 0)
        if kind != 2:
            self.first = (u32(b, at), u32(b, at + 4))
            at += 8
        self.asserted = 0
        self.meta = []
        if flags & 2:
            need(self.first == (0, 0), "meta in a later part")
            self.asserted = u48(b, at)
            count, at = varint(b, at + 6, end)
            for _ in range(count):
                size, at = varint(b, at, end)
                need(at + size <= end, "meta is cut")
                self.meta.append(b[at : at + size])
                at += size
        tail = end
        counts = []
        for flag in (8, 4, 1):
            if flags & flag:
                tail -= 4
                counts.insert(0, u32(b, tail))
            else:
                counts.insert(0, 1 if flag == 1 else 0)
        operation_count, carried_count, self.payload_bytes = counts
        need(not flags & 1 or operation_count != 1, "one operation with a table")
        need(bool(flags & 4) == (carried_count > 0) and bool(flags & 8) == (self.payload_bytes > 0), "empty section")
        tables = operation_count * (flags & 1) + carried_count
        entries_end = tail - 8 * tables
        need(entries_end >= at, "record without room for its tables")
        self.payload = end
        self.covered = []
        table = [(u32(b, x), u32(b, x + 4)) for x in range(entries_end, tail, 8)]
        self.operations = []
        self.carried = []
        for index in range(operation_count + carried_count):
            from_at = at
            is_carried = index >= operation_count
            entry, at = self.entry(b, at, entries_end, is_carried)
            if is_carried or flags & 1:
                offset, checksum = table[index if flags & 1 else index - operation_count]
                i = 0x80000000 + index - operation_count if is_carried else index
                need(offset == from_at - start, "the table points elsewhere")
                need(checksum == crc(b[from_at:at], crc(le(i, 4), self.base)), "an entry fails its checksum")
            (self.carried if is_carried else self.operations).append(entry)
        need(at == entries_end, "bytes between entries and tables")
        self.covered.sort()
        position = 0
        for begin, stop in self.covered:
            need(begin == position, "the payload region has a gap")
            position = stop
        need(position == self.payload_bytes, "the payload region has bytes that belong to no value")

    def entry(self, b, at, end, is_carried):
        flags = b[at]
        need(flags < 64 and not (flags & 1 and flags & 18) and (flags & 4 or not flags & 8), "operation flags")
        at += 1
        entry = {"delete": bool(flags & 1)}
        if is_carried:
            entry["commit"] = u48(b, at)
            need(0 < entry["commit"] < self.number, "a carried version of a later commit")
            at += 6
        else:
            size, at = varint(b, at, end)
            need(1 <= size <= 1100 and at + size <= end, "key length")
            entry["key"] = b[at : at + size].hex()
            at += size
        if flags & 2:
            entry["expiresAt"] = u48(b, at)
            need(entry["expiresAt"] > 0, "expiry 0")
            at += 6
        if flags & 4:
            distance, at = varint(b, at, end)
            ordinal, at = varint(b, at, end)
            need(distance < self.number, "back address")
            entry["back"] = [self.number - distance, ordinal, bool(flags & 8)]
        if flags & 32:
            size, at = varint(b, at, end)
            need(at + size <= end, "version table is cut")
            entry["table"] = version_table(b[at : at + size])
            at += size
        data = b""
        if not flags & 1:
            size, at = varint(b, at, end)
            if flags & 16:
                data, at = self.large(b, size, at, end)
            else:
                need(size <= BLOCK and at + size <= end, "value length")
                data = b[at : at + size]
                at += size
            entry["value"] = value_of(data)
        entry["content"] = data
        need(at <= end, "an entry is cut")
        return entry, at

    def large(self, b, size, at, end):
        need(BLOCK < size <= 64 << 20, "large value length")
        offset, at = varint(b, at, end)
        need(offset + size <= self.payload_bytes, "a large value outside its payload region")
        self.covered.append((offset, offset + size))
        data = b[self.payload + offset : self.payload + offset + size]
        need(len(data) == size, "a large value is cut")
        for begin in range(0, size, BLOCK):
            need(at + 4 <= end and u32(b, at) == crc(data[begin : begin + BLOCK]), "a block of a large value fails its checksum")
            at += 4
        return data, at


def file_header(b, magic, database_id, name):
    need(len(b) >= 256 and b[:8] == magic and u32(b, 252) == crc(b[:252]), f"{name}: header")
    need(u16(b, 8) == 1, f"{name}: a newer format")
    zeros(b, 10, 16, name)
    zeros(b, 32, 252, name)
    need(b[16:32].hex() == database_id, f"{name} belongs to another database")


def index_entry(b, database_id, commit):
    at = 256 + 24 * (commit - 1)
    seed = crc(bytes.fromhex(database_id) + le(commit, 6))
    need(at + 24 <= len(b) and u32(b, at + 20) == crc(b[at : at + 20], seed), f"index entry of commit {commit}")
    return {"timeMs": u48(b, at), "asserted": u48(b, at + 6), "place": [u32(b, at + 12), u32(b, at + 16)]}


def merkle(leaves):
    """RFC 6962, section 2.1, over leaf hashes."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha(b"\x01" + merkle(leaves[:k]) + merkle(leaves[k:]))


def header_of(parts, database_id):
    """The 115 bytes of a commit, from its records and their secrets."""
    number = parts[0].number

    def leaf(secret, label, i, content):
        return sha(b"\0" + sha(secret + label + be(number, 8) + be(i, 4)) + content)

    operations = []
    for part in parts:
        for op in part.operations:
            key = bytes.fromhex(op["key"])
            content = (b"\x02" if op["delete"] else b"\x01") + be(len(key), 4) + key
            if not op["delete"]:
                content += be(op.get("expiresAt", 0), 8) + be(len(op["content"]), 4) + op["content"]
            operations.append(leaf(part.segment["secret"], b"op", len(operations), content))
    chunks = [b"\x01" + be(parts[0].asserted, 8)] if parts[0].asserted else []
    chunks += [b"\x02" + chunk for chunk in parts[0].meta]
    secret = parts[0].segment["secret"]
    meta = [leaf(secret, b"meta", i, chunk) for i, chunk in enumerate(chunks)]
    head = b"\1\1\1" + bytes.fromhex(database_id) + be(number, 8) + be(parts[0].time, 8) + bytes(16)
    return head + merkle(operations) + merkle(meta)


def check_header(b, parts, database_id):
    number = parts[0].number
    found = b[256 + 115 * (number - 1) : 256 + 115 * number]
    if found != header_of(parts, database_id):
        raise Damaged(f"the header of commit {number} is not that of its record")
