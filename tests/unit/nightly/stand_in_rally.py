#!/usr/bin/env python3
"""Stands for the program rally where no cloud is.

STAND_IN_RESULTS: the file that it exports.  STAND_IN_WAY: what `task start`
does: end, hang until SIGINT, be deaf to all but SIGKILL, or refuse.
"""

import os
import pathlib
import shutil
import signal
import sys
import time

UUID = "12345678-1234-1234-1234-123456789abc"


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def start():
    way = os.environ.get("STAND_IN_WAY", "end")
    if way == "refuse":
        say("No cloud answers.")
        return 1
    if way == "deaf":
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    else:
        # Who runs tests in the background may have it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    say(f"Task  {UUID}: started")
    if way == "end":
        return 2
    try:
        # No test waits so long.
        time.sleep(60)
    except KeyboardInterrupt:
        say("Removed what was made.")
        return 130
    return 0


def export(kind, to):
    if kind == "json":
        shutil.copy(os.environ["STAND_IN_RESULTS"], to)
    else:
        pathlib.Path(to).write_text("<testsuites/>")
    return 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(
        start()
        if arguments[:2] == ["task", "start"]
        else export(arguments[5], arguments[7])
    )
