"""pages.db: metas, blobs, the whole tree, overflow runs, used pages. Specification: spec/file-format.md."""

import struct

from base import Damaged, crc, le, need, u16, u32, u48, value_of, version_table, zeros

PAGE_SIZES = (4096, 8192, 16384, 32768)


def read_meta(b, slot):
    """The meta in these 512 bytes, or None when the slot cannot be trusted."""
    if len(b) < 512 or b[:8] != b"STELEDB1" or u32(b, 508) != crc(b[:508]):
        return None
    need(u16(b, 8) == 1 and u32(b, 24) == 0, "a newer format")
    for start, end in ((10, 12), (82, 84), (88, 120), (134, 136), (142, 144), (150, 152), (158, 160), (187, 188)):
        zeros(b, start, end, "meta")
    for start, end in ((198, 200), (206, 208), (309, 310), (316, 508)):
        zeros(b, start, end, "meta")
    blobs = []
    for at in range(208, 308, 20):
        zeros(b, at + 6, at + 8, "blob reference")
        blobs.append({"first": u48(b, at), "pages": u32(b, at + 8), "bytes": u32(b, at + 12), "crc": u32(b, at + 16)})
    need(b[308] <= 1, "meta: clean-close mark")
    if u32(b, 20) == 0:
        zeros(b, 268, 308, "spare blobs")
    meta = {
        "pageBytes": u32(b, 12), "databaseId": b[28:44].hex(), "incarnation": b[44:60].hex(), "parentId": b[60:76].hex(),
        "parentCommit": u48(b, 76), "parentHead": u32(b, 84), "epoch": b[120:128].hex(), "sequence": u48(b, 128),
        "commit": u48(b, 136), "timeMs": u48(b, 144), "assertedTimeMs": u48(b, 152),
        "log": [u32(b, 160), u32(b, 164), u32(b, 168)], "durable": [u32(b, 172), u32(b, 176)],
        "root": u48(b, 180), "height": b[186], "rootChecksum": u32(b, 188), "live": u48(b, 192),
        "pageCount": u48(b, 200), "blobs": blobs, "cleanClose": b[308] == 1, "leaves": u48(b, 310),
    }  # fmt: skip
    good = meta["pageBytes"] in PAGE_SIZES and meta["sequence"] % 2 == slot
    good = good and (meta["root"] == 0) == (meta["height"] == 0) and meta["root"] != 1 and meta["root"] < meta["pageCount"]
    for blob in blobs:
        if blob["pages"] == 0:
            good = good and blob["first"] == 0 and blob["bytes"] == 0
        else:
            good = good and 2 <= blob["first"] and blob["first"] + blob["pages"] <= meta["pageCount"]
    return meta if good else None


def read_metas(data):
    """Newest first."""
    first = read_meta(data[:512], 0)
    sizes = PAGE_SIZES if first is None else (first["pageBytes"],)
    metas = [] if first is None else [first]
    for size in sizes:
        second = read_meta(data[size : size + 512], 1)
        if second is not None and second["pageBytes"] == size:
            metas.append(second)
            break
    need(metas, "no meta page can be trusted")
    need(len({meta["databaseId"] for meta in metas}) == 1, "the metas are of different databases")
    return sorted(metas, key=lambda meta: -meta["sequence"])


class PageFile:
    """Everything one meta names. `entries` in key order; `used` the pages met."""

    def __init__(self, data, meta):
        self.data = data
        self.meta = meta
        self.size = meta["pageBytes"]
        self.seed = crc(bytes.fromhex(meta["databaseId"]))
        self.used = {0, 1}
        self.entries = []
        self.leaves = 0
        self.blobs = [self.read_blob(blob) for blob in meta["blobs"]]
        live = 0
        if meta["height"] > 0:
            live = self.tree(meta["root"], meta["rootChecksum"], meta["height"] - 1, b"", None)[0]
        need(live == meta["live"], f"the meta counts {meta['live']} live entries, the tree {live}")
        need(self.leaves == meta["leaves"], f"the meta counts {meta['leaves']} leaves, there are {self.leaves}")

    def page(self, page, checksum=None):
        need(2 <= page < self.meta["pageCount"], f"page {page} lies outside")
        need(page not in self.used, f"page {page} is used twice")
        self.used.add(page)
        b = self.data[page * self.size : (page + 1) * self.size]
        need(len(b) == self.size, f"page {page} is cut")
        need(u32(b, 0) == crc(b[4:], crc(le(page, 6), self.seed)), f"page {page}: checksum")
        need(checksum is None or u32(b, 0) == checksum, f"page {page}: not the one its parent names")
        need(u32(b, 8) + (u16(b, 4) << 32) == page, f"page {page}: says another id")
        zeros(b, 20, 24, f"page {page}")
        zeros(b, 30, 80, f"page {page}")
        return b

    def run(self, first, pages, size, kind, commit=None):
        """The payload of overflow (3) or blob (4) pages."""
        room = self.size - 80
        need(pages == -(-size // room), f"a run of {pages} pages for {size} bytes")
        out = b""
        for index in range(pages):
            b = self.page(first + index)
            length = min(room, size - index * room)
            need(b[6] == kind and b[7] == 0, f"page {first + index} is of another type")
            need(u32(b, 12) == length and u32(b, 16) == index, f"page {first + index} is not page {index} of its run")
            need(commit is None or u48(b, 24) == commit, f"page {first + index} is of another commit")
            zeros(b, 80 + length, self.size, f"page {first + index}")
            out += b[80 : 80 + length]
        return out

    def read_blob(self, blob):
        data = self.run(blob["first"], blob["pages"], blob["bytes"], 4) if blob["pages"] else b""
        need(crc(data) == blob["crc"], "a blob fails its checksum")
        return data

    def tree(self, page, checksum, level, lower, upper):
        """Reads the subtree; gives (live, earliest expiry, smallest first commit)."""
        b = self.page(page, checksum)
        need(b[7] == level and b[6] == (1 if level == 0 else 2), f"page {page}: type {b[6]} at level {b[7]}")
        slots, heap, garbage, prefix_bytes = u16(b, 12), u16(b, 14), u16(b, 16), u16(b, 18)
        need(slots > 0 and prefix_bytes <= 1100 and heap % 4 == 0, f"page {page}: head")
        prefix = b[80 : 80 + prefix_bytes]
        start = 80 + (prefix_bytes + 3) // 4 * 4
        need(start + 8 * slots <= heap <= self.size, f"page {page}: slots and heap")
        total = [0, 0, None]
        heap_bytes = garbage
        before = None
        children = []
        for slot in range(slots):
            at = start + 8 * slot
            record, suffix_bytes = u16(b, at + 4), u16(b, at + 6)
            need(record % 4 == 0 and heap <= record < self.size, f"page {page}: record at {record}")
            if level == 0:
                suffix, end = self.leaf_record(b, page, record, suffix_bytes, prefix, total)
            else:
                end = record + 32 + suffix_bytes
                suffix = b[record + 32 : end]
                need(end <= self.size, f"page {page}: record at {record}")
                need(slot > 0 or suffix_bytes == 0, f"page {page}: slot 0 has a separator")
            head = int.from_bytes((suffix + b"\0\0\0\0")[:4], "big")
            need(u32(b, at) == head, f"page {page}: slot {slot} has another head")
            heap_bytes += (end - record + 3) // 4 * 4
            key = prefix + suffix if level == 0 or slot > 0 else lower
            need(len(key) <= 1100 and key >= lower and (upper is None or key < upper), f"page {page}: key out of bounds")
            need(before is None or before < key, f"page {page}: keys do not ascend")
            before = key
            children.append((key, record))
        need(heap + heap_bytes == self.size, f"page {page}: {heap_bytes} bytes of heap from {heap}")
        if level == 0:
            self.leaves += 1
            return total
        for slot, (key, record) in enumerate(children):
            end = children[slot + 1][0] if slot + 1 < slots else upper
            zeros(b, record + 6, record + 8, f"page {page}")
            live, expiry, first = self.tree(u48(b, record), u32(b, record + 8), level - 1, key, end)
            told = [u48(b, record + 12), u48(b, record + 20), u48(b, record + 26)]
            need(told[0] == live, f"page {page} counts {told[0]} live entries, there are {live}")
            need(u16(b, record + 18) == (1 if told[1] else 0), f"page {page}: summary flags")
            need(expiry == 0 or 0 < told[1] <= expiry, f"page {page}: earliest expiry")
            need(first is None or told[2] <= first, f"page {page}: smallest first commit")
            self.add(total, live, expiry, first)
        return total

    @staticmethod
    def add(total, live, expiry, first):
        total[0] += live
        if expiry:
            total[1] = min(total[1] or expiry, expiry)
        if first is not None:
            total[2] = first if total[2] is None else min(total[2], first)

    def leaf_record(self, b, page, record, suffix_bytes, prefix, total):
        need(record + 12 <= self.size, f"page {page}: record at {record}")
        flags, value_bytes = u16(b, record), u16(b, record + 4)
        need(flags < 2048 and u16(b, record + 2) == suffix_bytes, f"page {page}: record at {record}")
        commit = (u16(b, record + 6) << 32) + u32(b, record + 8)
        entry = {"commit": commit, "tombstone": bool(flags & 1), "swept": bool(flags & 128), "depth": flags >> 8}
        entry["ordinal"] = 0
        entry["firstCommit"] = commit
        at = record + 12
        if flags & 2:
            entry["expiresAt"] = u48(b, at)
            zeros(b, at + 6, at + 8, f"page {page}")
            at += 8
        if flags & 4:
            entry["ordinal"] = u32(b, at)
            at += 4
        if flags & 8:
            entry["back"] = [u48(b, at), u32(b, at + 8), bool(flags & 16)]
            entry["firstCommit"] = u48(b, at + 12)
            zeros(b, at + 6, at + 8, f"page {page}")
            zeros(b, at + 18, at + 20, f"page {page}")
            at += 20
        need(flags & 8 or not flags & 16, f"page {page}: carried without a way back")
        if flags & 64:
            length = u16(b, at)
            need(at + 2 + length <= self.size, f"page {page}: spine")
            entry["spine"] = version_table(b[at + 2 : at + 2 + length])
            at += (2 + length + 3) // 4 * 4
        end = at + suffix_bytes + value_bytes
        need(end <= self.size, f"page {page}: record at {record} is too long")
        suffix = b[at : at + suffix_bytes]
        stored = b[at + suffix_bytes : end]
        entry["key"] = (prefix + suffix).hex()
        need(not flags & 1 or (value_bytes == 0 and not flags & (32 | 128)), f"page {page}: a tombstone with a value")
        if flags & 32:
            self.large(entry, stored, page)
        elif not flags & 1:
            entry["value"], entry["content"] = value_of(stored), stored
        live = not flags & (1 | 128)
        self.add(total, int(live), entry.get("expiresAt", 0) if live else 0, entry["firstCommit"])
        self.entries.append(entry)
        return suffix, end

    def large(self, entry, stored, page):
        need(len(stored) == 20 and stored[4] in (1, 2), f"page {page}: large reference")
        zeros(stored, 5, 8, "large reference")
        zeros(stored, 14, 16, "large reference")
        size, first, pages = u32(stored, 0), u48(stored, 8), u32(stored, 16)
        if stored[4] == 1:
            zeros(stored, 8, 20, "large reference")
            entry["inLog"] = size
        else:
            entry["run"] = [first, pages]
            entry["content"] = self.run(first, pages, size, 3, entry["commit"])
            entry["value"] = value_of(entry["content"])

    def check_used(self):
        """The blob names exactly the pages met; without one there are only the metas."""
        bits = self.blobs[0]
        need(not bits or bits[-1] != 0, "used pages: zero bytes at the end")
        marked = {8 * i + k for i, byte in enumerate(bits) for k in range(8) if byte >> k & 1}
        need((marked or {0, 1}) == self.used, f"used pages differ: {sorted(marked ^ self.used)[:20]}")
        return len(self.used)


def read_kept(b):
    """spec/file-format.md, "Kept ranges"."""
    if not b:
        return None
    need(b[:4] == b"KEPT" and u16(b, 4) == 1, "kept ranges: head")
    zeros(b, 14, 20, "kept ranges")
    ranges = []
    at = 42
    for _ in range(u16(b, 6)):
        length = u16(b, at) & 0x7FFF
        need(at + 22 + length <= len(b), "kept ranges are cut")
        prefix = b[at + 2 : at + 2 + length]
        need(not ranges or bytes.fromhex(ranges[-1]["prefix"]) < prefix, "kept ranges do not ascend")
        rule = bool(u16(b, at) & 0x8000)
        at += 2 + length
        (history,) = struct.unpack_from("<d", b, at + 12)
        need(history >= 0, "kept ranges: history")
        ranges.append({"prefix": prefix.hex(), "rule": rule, "from": u48(b, at), "fromMs": u48(b, at + 6),
                       "historyMs": None if history == float("inf") else history})  # fmt: skip
        at += 20
    need(ranges and ranges[0]["prefix"] == "", "kept ranges: the empty prefix is missing")
    rows = []
    for _ in range(u32(b, 32)):
        rows.append([u32(b, at)] + [u48(b, at + 4 + 6 * k) - 1 for k in range(len(ranges))])
        at += 4 + 6 * len(ranges)
    if at + 1 != len(b) or b[at] > 1:
        raise Damaged("kept ranges: end")
    return {"ranges": ranges, "rows": rows, "tracking": b[at] == 1, "sweptMs": u48(b, 8), "tombstonesFrom": u48(b, 20),
            "looseLargeFrom": u48(b, 26), "headersThrough": u48(b, 36)}  # fmt: skip
