"""The command ``rally-magnum-sandbox fault``."""

from __future__ import annotations

import argparse
import dataclasses
import http
import json
import re
import time
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.servers import faults as sandbox_faults

KINDS = (
    sandbox_faults.TRUNCATED,
    sandbox_faults.LATE,
    sandbox_faults.RESET,
)
UP = "`rally-magnum-sandbox up`"
DESCRIPTION = """\
Make the sandbox's OpenStack misbehave. A service fault answers requests with
an HTTP error (such as 503), with half of the JSON (truncated), after --seconds
(late), or by closing the connection without a response (reset). `fault clear`,
`up` and `down` end all faults of services and bays.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own commands."""
    parser.description = DESCRIPTION
    targets = parser.add_subparsers(dest="target", required=True)
    for service in sandbox_faults.SERVICES:
        _add_service(
            targets.add_parser(service, help=f"inject faults into {service}")
        )
    _add_bay(targets.add_parser("bay", help="make the next bays fail"))
    _add_processes(targets)
    shown = targets.add_parser(
        "list", help="list the faults and the number of their hits"
    )
    shown.add_argument("--json", action="store_true", help="print JSON")
    targets.add_parser("clear", help="remove all faults")


def _add_service(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("kind", help=f"an HTTP status, such as 503, or {', '.join(KINDS)}")
    add(
        "--every",
        type=int,
        default=1,
        metavar="N",
        help="only every Nth request",
    )
    add("--times", type=int, metavar="N", help="only N requests")
    add(
        "--for",
        dest="for_s",
        type=float,
        metavar="SECONDS",
        help="only for this time",
    )
    add("--methods", default="", help="only these methods, such as POST,PATCH")
    add("--path", default="", metavar="REGEX", help="only paths that match")
    add(
        "--applied",
        action="store_true",
        help="execute the request, and change only the response",
    )
    add("--seconds", type=float, help="the delay of a late response")
    add("--html", action="store_true", help="respond with an HTML page")
    add(
        "--retry-after",
        type=int,
        metavar="SECONDS",
        help="add this header to the response",
    )


def _add_bay(parser: argparse.ArgumentParser) -> None:
    words = parser.add_mutually_exclusive_group(required=True)
    words.add_argument(
        "--create-failed",
        metavar="WORDS",
        help="CREATE_FAILED with these words as the status reason",
    )
    words.add_argument(
        "--delete-failed",
        metavar="WORDS",
        help="DELETE_FAILED with these words; a second delete succeeds",
    )
    parser.add_argument(
        "--times", type=int, default=1, metavar="N", help="N bays (default 1)"
    )


def _add_processes(targets: Any) -> None:
    kill = targets.add_parser("kill", help="kill a server with SIGKILL")
    kill.add_argument("process", choices=["conductor"])
    kill.add_argument(
        "--while-creating",
        action="store_true",
        help="wait until a bay is CREATE_IN_PROGRESS",
    )
    restart = targets.add_parser(
        "restart", help="kill a component of a bay and start it again"
    )
    restart.add_argument("process", choices=["apiserver"])
    restart.add_argument("bay", help="name or uuid of the bay")
    stop = targets.add_parser(
        "stop", help="kill a component of a bay; `up` starts it again"
    )
    stop.add_argument("process", choices=["kubelet"])
    stop.add_argument("bay", help="name or uuid of the bay")
    stop.add_argument(
        "--node", help="name of a real node (default: the first)"
    )


def run(
    options: argparse.Namespace, settings: sandbox_settings.Settings
) -> None:
    """Run the command.

    :raises InvalidInput: if an option has a wrong value
    :raises SandboxError: if there is no sandbox, or no such bay or node
    """
    from rally_magnum_sandbox import cloud
    from rally_magnum_sandbox import process_faults

    cloud.require_up(settings)
    faults = sandbox_faults.Faults(settings.faults_file)
    match options.target:
        case "list":
            _list(faults, as_json=options.json)
        case "clear":
            print(f"{faults.clear()} fault(s) removed")
        case "kill":
            process_faults.kill_conductor(settings, options.while_creating)
            print(f"Magnum was killed; {UP} starts it again")
        case "restart":
            print(process_faults.restart_api_server(settings, options.bay))
        case "stop":
            node = process_faults.stop_kubelet(
                settings, options.bay, options.node
            )
            print(f"kubelet of {node} was killed; {UP} starts it again")
        case _:
            fault = _requested(options)
            faults.add(fault)
            print(f"added: {fault.describe(time.time())}")


def _list(faults: sandbox_faults.Faults, *, as_json: bool) -> None:
    found = faults.all()
    if as_json:
        print(json.dumps([dataclasses.asdict(x) for x in found], indent=2))
        return
    for fault in found:
        print(fault.describe(time.time()))
    if not found:
        print("there are no faults")


def _requested(options: argparse.Namespace) -> sandbox_faults.Fault:
    _require(
        options.times is None or options.times >= 1,
        f"--times is {options.times}; it must be at least 1.",
    )
    if options.target == sandbox_faults.BAY:
        return _bay_fault(options)
    _check_kind(options)
    _check_selection(options)
    return sandbox_faults.Fault(
        target=options.target,
        kind=options.kind,
        every=options.every,
        times=options.times,
        until_s=time.time() + options.for_s if options.for_s else None,
        methods=_methods(options),
        path=options.path,
        applied=options.applied,
        html=options.html,
        retry_after_s=options.retry_after,
        delay_s=options.seconds or 0.0,
    )


def _bay_fault(options: argparse.Namespace) -> sandbox_faults.Fault:
    operation = (
        sandbox_faults.DELETE
        if options.create_failed is None
        else sandbox_faults.CREATE
    )
    kind = sandbox_faults.BAY_KINDS[operation]
    reason = (options.create_failed or options.delete_failed or "").strip()
    _require(bool(reason), f"--{kind} is empty; it must be a status reason.")
    return sandbox_faults.Fault(
        sandbox_faults.BAY,
        kind,
        times=options.times,
        methods=(operation,),
        reason=reason,
    )


def _check_kind(options: argparse.Namespace) -> None:
    kind = options.kind
    is_error = kind in {str(s.value) for s in http.HTTPStatus if s >= 400}
    _require(
        is_error or kind in KINDS,
        f"The fault is {kind!r}; it must be an HTTP status from 400 to 511, "
        f"or one of {', '.join(KINDS)}.",
    )
    is_late = kind == sandbox_faults.LATE
    _require(
        (options.seconds is not None) == is_late
        and (options.seconds is None or 0 < options.seconds <= 3600),
        "A late response needs --seconds, more than 0 and at most 3600; "
        "other faults do not take it.",
    )
    _require(
        is_error or not (options.html or options.retry_after is not None),
        f"--html and --retry-after are for an HTTP status, not for {kind}.",
    )
    _require(
        options.retry_after is None or options.retry_after >= 0,
        f"--retry-after is {options.retry_after}; it can't be negative.",
    )


def _check_selection(options: argparse.Namespace) -> None:
    _require(
        options.every >= 1,
        f"--every is {options.every}; it must be at least 1.",
    )
    _require(
        options.for_s is None or options.for_s > 0,
        f"--for is {options.for_s}; it must be more than 0 seconds.",
    )
    known = {method.value for method in http.HTTPMethod}
    for method in _methods(options):
        _require(
            method in known,
            f"--methods has {method!r}, which is not an HTTP method; separate "
            "methods with commas, such as POST,PATCH.",
        )
    try:
        re.compile(options.path)
    except re.error as error:
        raise exceptions.InvalidInput(
            f"--path is {options.path!r}, which is not a regular expression: "
            f"{error}."
        ) from error


def _methods(options: argparse.Namespace) -> tuple[str, ...]:
    names = options.methods.upper().split(",")
    return tuple(name.strip() for name in names if name.strip())


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise exceptions.InvalidInput(sentence)
