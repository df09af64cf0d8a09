"""The status as tables for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence

from rally_magnum_sandbox import status as sandbox_status

GAP = "  "
SERVER_COLUMNS = (
    "SERVER",
    "STATE",
    "ADDRESS",
    "PID",
    ">PROCESSES",
    ">MEMORY",
    ">AGE",
)
BAY_COLUMNS = (
    "BAY",
    "UUID",
    "STATUS",
    ">NODES",
    ">REAL",
    "API",
    ">PROCESSES",
    ">MEMORY",
    ">AGE",
)
KINDS = {
    "pss": "memory that processes share is counted once (PSS)",
    "rss": "memory that processes share is counted for each process (RSS)",
}


def as_json(status: sandbox_status.Status) -> str:
    """Format the status as one JSON object.

    Its keys are the fields of :class:`.status.Status`,
    :class:`.status.Server`, :class:`.status.Bay` and :class:`.faults.Fault`.
    """
    return json.dumps(dataclasses.asdict(status), indent=2)


def lines(status: sandbox_status.Status) -> list[str]:
    """Format the status as tables with totals."""
    if not status.exists:
        cache = f"{status.cache_dir} ({size(status.cache_bytes)})"
        return [
            f"there is no sandbox in {status.state_dir}; its cache is {cache}"
        ]
    rows = [_bay_row(bay) for bay in status.bays]
    bays = ["", *table(BAY_COLUMNS, rows)] if rows else []
    return [
        *_summary(status),
        "",
        *table(SERVER_COLUMNS, [_server_row(x) for x in status.servers]),
        *bays,
        *_failed(status),
        *(f"fault: {x.describe(time.time())}" for x in status.faults),
        "",
        *_totals(status),
        *status.hidden,
    ]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows below their headings.

    :param columns: headings; ``>`` at the start aligns a column right
    :param rows: one text for each column
    """
    heads = [name.removeprefix(">") for name in columns]
    widths = [
        max(map(len, column)) for column in zip(heads, *rows, strict=True)
    ]
    drawn = []
    for row in (heads, *rows):
        cells = [
            text.rjust(width) if name.startswith(">") else text.ljust(width)
            for name, text, width in zip(columns, row, widths, strict=True)
        ]
        drawn.append(GAP.join(cells).rstrip())
    return drawn


def size(number: int | None) -> str:
    """Format bytes in MB or GB (powers of ten); None is ``-``."""
    if number is None:
        return "-"
    if number >= 10**9:
        return f"{number / 1e9:.2f} GB"
    return f"{number / 1e6:.0f} MB"


def age(seconds: float | None) -> str:
    """Format an age in its two largest units; None is ``-``."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    for large, small, units in (
        (days, hours, "d h"),
        (hours, minutes, "h min"),
        (minutes, rest, "min s"),
    ):
        if large:
            first, second = units.split()
            return f"{large} {first} {small} {second}"
    return f"{rest} s"


def _summary(status: sandbox_status.Status) -> list[str]:
    state = "up" if status.up else "not up; run `rally-magnum-sandbox up`"
    since = f" since {age(status.age_s)}" if status.age_s is not None else ""
    version = status.magnum_version
    return [
        f"the sandbox is {state}{since if status.up else ''}",
        *([f"Magnum {version}"] if version else []),
        f"disk: {status.state_dir} {size(status.state_bytes)} "
        f"({size(status.disk_free_bytes)} free), "
        f"{status.cache_dir} {size(status.cache_bytes)}",
    ]


def _server_row(server: sandbox_status.Server) -> list[str]:
    return [
        server.name,
        "up" if server.up else "down",
        server.address,
        "-" if server.pid is None else str(server.pid),
        str(server.processes),
        size(server.memory_bytes),
        age(server.age_s),
    ]


def _bay_row(bay: sandbox_status.Bay) -> list[str]:
    api = f"{bay.api_address}:{bay.api_port}" if bay.api_address else "-"
    return [
        bay.name or "-",
        bay.uuid,
        bay.status,
        _count(bay.nodes),
        _count(bay.real_nodes),
        api,
        str(bay.processes),
        size(bay.memory_bytes),
        age(bay.age_s),
    ]


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)


def _failed(status: sandbox_status.Status) -> list[str]:
    """List the nodes that were stopped, cut off or deleted on request."""
    return [
        f"{bay.name}: {node} is {how}, as requested"
        for bay in status.bays
        for node, how in (bay.failed or {}).items()
    ]


def _totals(status: sandbox_status.Status) -> list[str]:
    servers, bays = status.servers, status.bays
    up = sum(server.up for server in servers)
    nodes = _sum([bay.nodes for bay in bays])
    real = _sum([bay.real_nodes for bay in bays])
    counted = f", {_count(nodes)} nodes ({_count(real)} real)" if bays else ""
    parts = (
        (f"{up} of {len(servers)} servers up", servers),
        (f"{len(bays)} bay(s){counted}", bays),
    )
    return [
        *(
            f"{what}, {sum(x.processes for x in group)} processes, "
            f"{size(sum(x.memory_bytes for x in group))}"
            for what, group in parts
        ),
        f"memory: {KINDS[status.memory_kind]}",
    ]


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None
