"""A pseudo-terminal for the tests: runs a program in one, waits for what must be seen, types, and gives the transcript as JSON.

Standard input: {"argv", "cwd", "env", "columns", "steps": [{"see"?, "type"?, "columns"?}]}; standard output: {"text", "exit", "missed"}.
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

SECONDS = 20


def main():
    play = json.load(sys.stdin)
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(play["cwd"])
        os.environ.pop("NO_COLOR", None)
        os.environ.update(play["env"])
        # The window must have its size before the program looks.
        resize(0, play["columns"])
        os.execv(play["argv"][0], play["argv"])
    seen = b""
    mark = 0
    missed = None
    for step in play["steps"]:
        if "see" in step:
            want = step["see"].encode()
            end = time.time() + SECONDS
            while want not in seen[mark:] and time.time() < end:
                more = read(fd)
                if more is None:
                    break
                seen += more
            at = seen.find(want, mark)
            if at < 0:
                missed = step["see"]
                break
            mark = at + len(want)
        if "columns" in step:
            resize(fd, step["columns"])
            os.kill(pid, signal.SIGWINCH)
        if "type" in step:
            os.write(fd, step["type"].encode())
    end = time.time() + (1 if missed is not None else SECONDS)
    while time.time() < end:
        more = read(fd)
        if more is None:
            break
        seen += more
    else:
        missed = missed or "the end"
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    answer = {"text": seen.decode("utf-8", "replace"), "exit": os.waitstatus_to_exitcode(status), "missed": missed}
    json.dump(answer, sys.stdout)


def resize(fd, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def read(fd):
    """Bytes, possibly none; None at the end."""
    ready, _, _ = select.select([fd], [], [], 0.05)
    if not ready:
        return b""
    try:
        data = os.read(fd, 65536)
    except OSError:
        return None
    return data or None


main()
