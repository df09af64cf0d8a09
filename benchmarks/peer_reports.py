"""What other people's load generators print, as one kind of figures."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from benchmarks import measured
from benchmarks.measured import Measured
from rally_magnum_sandbox import exceptions
from rally_magnum_scale.in_bay.stats import histogram

NS_PER_US = 1000


def wrk(text: str, cpu_s: float) -> Measured:
    """Read what our script let wrk print.

    :raises SandboxError: when it is not there
    """
    found = re.search(r"^\{.*\}$", text, re.MULTILINE)
    if not found:
        raise _no_sum("wrk", text)
    data = json.loads(found[0])
    requests, seconds = data.pop("requests"), data.pop("us") / 1e6
    return Measured(requests, seconds, cpu_s, data)


def oha(data: Mapping[str, Any], cpu_s: float) -> Measured:
    """Read oha's JSON, in which times are in seconds."""
    of = data["latencyPercentiles"]
    return Measured(
        data["statusCodeDistribution"]["200"],
        data["summary"]["total"],
        cpu_s,
        {
            name: of[name.replace("_", ".")] * 1e6
            for name in measured.PERCENTILES
        },
    )


def hey(text: str, cpu_s: float) -> Measured:
    """Read hey's summary, in which times are in seconds.

    It tells no p99.9, and digits no finer than 0.1 ms.

    :raises SandboxError: when it is not there
    """
    answered = re.findall(r"^\s*\[200\]\s+(\d+) responses", text, re.MULTILINE)
    seconds = re.search(r"^\s*Total:\s+([\d.]+) secs", text, re.MULTILINE)
    if not answered or not seconds:
        raise _no_sum("hey", text)
    found = dict(re.findall(r"(50|99)%+ in ([\d.]+) secs", text))
    latency_us = {f"p{key}": float(of) * 1e6 for key, of in found.items()}
    return Measured(int(answered[0]), float(seconds[1]), cpu_s, latency_us)


def vegeta(text: str, cpu_s: float) -> Measured:
    """Read vegeta's results as CSV: time, status and latency come first.

    The percentiles are made here, from each request, since vegeta's own
    are estimates.

    :raises SandboxError: when there is none
    """
    rows = [row for row in csv.reader(io.StringIO(text)) if row[1] == "200"]
    if not rows:
        raise _no_sum("vegeta", text)
    begun_ns = [int(row[0]) for row in rows]
    ended_ns = [int(row[0]) + int(row[2]) for row in rows]
    counts: dict[int, int] = {}
    for row in rows:
        us = int(row[2]) // NS_PER_US
        counts[us] = counts.get(us, 0) + 1
    whole = histogram.Histogram.from_values_us(counts)
    seconds = (max(ended_ns) - min(begun_ns)) / 1e9
    return Measured(len(rows), seconds, cpu_s, measured.percentiles_us(whole))


def k6(data: Mapping[str, Any], cpu_s: float) -> Measured:
    """Read k6's exported summary, in which times are in milliseconds."""
    asked = data["metrics"]["http_reqs"]
    of = data["metrics"]["http_req_duration"]
    names = {"p50": "p(50)", "p99": "p(99)", "p99_9": "p(99.9)"}
    return Measured(
        int(asked["count"]),
        asked["count"] / asked["rate"],
        cpu_s,
        {name: of[key] * 1000 for name, key in names.items()},
    )


def _no_sum(program: str, text: str) -> exceptions.SandboxError:
    return exceptions.SandboxError(
        f"{program} was run to be compared with, and printed no answered "
        f"request but {text[-200:]!r}; run it by hand."
    )
