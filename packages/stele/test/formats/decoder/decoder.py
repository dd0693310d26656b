"""Reads a closed database directory and prints what is in it, one canonical JSON object per line.

    python3 decoder.py DIRECTORY [typed]

With `typed`, keys of the application and their values are read as paths and values too (spec/paths.md, spec/values.md).
Lines, by "line": meta (newest first), kept, table (segments as the meta names them), segment (as found), commit, mark,
entry, checked. Everything the specification promises is checked on the way; the first thing that is not so ends the
run with exit code 1 and a message on stderr.
"""

import json
import os
import sys

from base import Damaged, need
from log import Reader, check_header, file_header, find_segments, index_entry, read_segment_table
from pages import PageFile, read_kept, read_metas
from paths import read_path, write_path
from values import read_value


def show(line, **fields):
    print(json.dumps({"line": line, **fields}, sort_keys=True, separators=(",", ":")))


def read_directory(path):
    files = {}
    for name in os.listdir(path):
        if name in ("pages.db", "commits.idx", "headers.dat") or (name.startswith("log-") and name.endswith(".seg")):
            with open(os.path.join(path, name), "rb") as file:
                files[name] = file.read()
    return files


def read_log(files, meta, table):
    """Every run of segments that follow one another: (commits, marks, numbers of the segments read)."""
    found = find_segments({n: b for n, b in files.items() if n.endswith(".seg")}, meta["databaseId"])
    named = {row["number"]: row["generation"] for row in table}
    # Below the meta's position only what its table names counts.
    living = {n: s for n, s in found.items() if named.get(n) == s["generation"] or n >= meta["log"][0]}
    for number in named:
        need(number in living, f"segment {number} is missing")
    commits, marks, read, ends = {}, [], set(), {}
    for number in sorted(living):
        if number in read or (number not in named and number != meta["log"][0]):
            continue
        reader = Reader(living, number)
        commits.update(reader.commits)
        marks += reader.marks
        read.update(reader.visited)
        for this, following in zip(reader.visited, reader.visited[1:]):
            ends[this] = living[following]["previousEnd"]
        ends[reader.visited[-1]] = reader.at
        known = max(reader.durable, tuple(meta["durable"]), tuple(meta["log"][:2]))
        last = (reader.segment["number"], reader.at)
        need(last[0] != max(living) or known <= last, f"the log ends at {last}, and was durable through {known}")
    for row in table:
        need(not row["sealed"] or row["end"] == ends[row["number"]], f"segment {row['number']} ends at {ends[row['number']]}")
    for number in sorted(read):
        segment = living[number]
        show("segment", end=ends[number], **{k: v for k, v in segment.items() if k not in ("data", "secret", "seed")})
    return commits, marks


def check_index(b, meta, commits):
    file_header(b, b"STELEIDX", meta["databaseId"], "commits.idx")
    before = {"timeMs": 0, "asserted": 0}
    for number in range(1, meta["commit"] + 1):
        entry = index_entry(b, meta["databaseId"], number)
        need(entry["timeMs"] >= before["timeMs"], f"index: time falls at commit {number}")
        parts = commits.get(number)
        if parts is not None:
            need(entry["timeMs"] == parts[0].time, f"index: time of commit {number}")
            need(entry["place"] == [parts[0].segment["number"], parts[0].start], f"index: place of commit {number}")
            need(entry["asserted"] == max(before["asserted"], parts[0].asserted), f"index: asserted time of commit {number}")
        else:
            need(entry["asserted"] >= before["asserted"], f"index: asserted time falls at commit {number}")
        before = entry
    need(before["asserted"] == meta["assertedTimeMs"], "meta: running maximum of asserted time")
    return meta["commit"]


def check_headers(files, meta, kept, commits):
    through = kept["headersThrough"] if kept is not None else 0
    if through == 0:
        return 0
    b = files["headers.dat"]
    file_header(b, b"STELEHDR", meta["databaseId"], "headers.dat")
    checked = [n for n in sorted(commits) if n <= through]
    for number in checked:
        check_header(b, commits[number], meta["databaseId"])
    return len(checked)


def clean(entry):
    return {k: v for k, v in entry.items() if k != "content"}


def show_commits(commits):
    for number in sorted(commits):
        parts = commits[number]
        show(
            "commit", commit=number, timeMs=parts[0].time, asserted=parts[0].asserted, parts=len(parts),
            meta=[chunk.hex() for chunk in parts[0].meta],
            operations=[clean(op) for part in parts for op in part.operations],
            carried=[clean(entry) for part in parts for entry in part.carried],
        )  # fmt: skip


def check_large(entries, commits):
    """A large value that still lies in the log has the length its entry says."""
    for entry in entries:
        if "inLog" not in entry:
            continue
        operations = [op for part in commits[entry["commit"]] for op in part.operations]
        op = operations[entry["ordinal"]]
        need(op["key"] == entry["key"] and op["value"]["bytes"] == entry["inLog"], f"value of {entry['key']} in the log")
        entry["value"], entry["content"] = op["value"], op["content"]


def typed(entry):
    """Path and value of an entry, where it has them."""
    if not entry["key"].startswith("02"):
        return {}
    told = {"path": write_path(read_path(bytes.fromhex(entry["key"])))}
    return told if entry["tombstone"] else {**told, "typed": read_value(entry["content"])}


def main(path, is_typed):
    files = read_directory(path)
    metas = read_metas(files["pages.db"])
    meta = metas[0]
    for each in metas:
        show("meta", **each)
    pages = PageFile(files["pages.db"], meta)
    kept = read_kept(pages.blobs[2])
    table = read_segment_table(pages.blobs[1])
    if kept is not None:
        show("kept", **kept)
    for row in table:
        show("table", **row)
    commits, marks = read_log(files, meta, table)
    show_commits(commits)
    for mark in marks:
        body = mark.pop("body")
        show("mark", **mark, kept=read_kept(body) if mark["kind"] == 8 else None)
    check_large(pages.entries, commits)
    for entry in pages.entries:
        show("entry", **clean(entry), **(typed(entry) if is_typed else {}))
    show("checked", indexEntries=check_index(files["commits.idx"], meta, commits), headers=check_headers(files, meta, kept, commits),
         usedPages=pages.check_used(), entries=len(pages.entries), leaves=pages.leaves, commits=len(commits))  # fmt: skip


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:] == ["typed"])
    except Damaged as error:
        print(f"damaged: {error}", file=sys.stderr)
        sys.exit(1)
