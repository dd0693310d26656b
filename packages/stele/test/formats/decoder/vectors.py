"""Reads lines "key HEX" and "value HEX" and prints for each what it says, as JSON: {"path": canonical text}, {"value": description},
{"refused": why} or {"newer": why}."""

import json
import sys

from base import Damaged
from paths import read_path, write_path
from values import Newer, read_value


def read(kind, data):
    try:
        return {"path": write_path(read_path(data))} if kind == "key" else {"value": read_value(data)}
    except Newer as error:
        return {"newer": str(error)}
    except Damaged as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    sys.setrecursionlimit(5000)
    for line in sys.stdin:
        kind, _, data = line.strip().partition(" ")
        print(json.dumps(read(kind, bytes.fromhex(data))))
