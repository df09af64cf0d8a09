#!/usr/bin/env python3
"""Stands for the program rally where no cloud is.

STAND_IN_RESULTS: the file that it exports.  STAND_IN_WAY: what `task start`
does: end, hang until SIGINT, be deaf to all but SIGKILL, not begin, or refuse
the task.  STAND_IN_CREATE: what `env create` does: end, break when the name
is taken, or hang then.
"""

import os
import pathlib
import shutil
import signal
import sys
import time

UUID = "12345678-1234-1234-1234-123456789abc"

# As Rally 5.1.1 says it, its log between.
REFUSAL = f"""\

Running Task... This can take a while...

Using task: {UUID}
2026-11-28 11:45:36.985 14823 INFO rally.task.engine [-] Task validation.
Input task is invalid!

Subtask MagnumScale.create_and_delete_bay[0] has wrong configuration
Subtask configuration:
{{"version": 2, "title": "A cropped version of a bigger task."}}

Reason(s):
 Scenario plugin 'MagnumScale.create_and_delete_bay' doesn't pass \
args-spec@default validation. Details: Argument 'nodes' is invalid: 0 is less \
than the minimum of 1
 SLA plugin 'bay_create_time' doesn't pass jsonschema@default validation. \
Details: 'max_z' was unexpected

Failed validating 'additionalProperties' in schema:
    {{'type': 'object'}}"""


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def start():
    way = os.environ.get("STAND_IN_WAY", "end")
    if way == "not-begin":
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
    if way == "refuse":
        say(REFUSAL)
        return 114
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


def create(name, spec):
    """Make an environment, whose name no other may have after that."""
    _, _, database = os.environ["OS_DATABASE__CONNECTION"].partition(":///")
    taken = pathlib.Path(database)
    names = taken.read_text().split() if taken.exists() else []
    if name in names:
        say(f"{name} is taken.")
        return 1
    taken.write_text("\n".join([*names, name]))
    # Rally, too, prints the password.
    say(pathlib.Path(spec).read_text())
    way = os.environ.get("STAND_IN_CREATE", "end")
    if way == "hang":
        time.sleep(60)
    return 1 if way == "break" else 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    deed = arguments[:2]
    if deed == ["task", "start"]:
        sys.exit(start())
    if deed == ["env", "create"]:
        sys.exit(create(arguments[3], arguments[5]))
    sys.exit(
        export(arguments[5], arguments[7]) if deed == ["task", "export"] else 0
    )
