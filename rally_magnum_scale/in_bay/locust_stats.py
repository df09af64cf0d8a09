"""Update Locust's own statistics from our windows.

This package does not read them, but Locust's web page and its exit report
do.  Times are rounded to a millisecond, as in Locust.
"""

from __future__ import annotations

from typing import Any

from locust.stats import StatsError

from rally_magnum_scale.in_bay.stats.windows import Window

METHOD = "GET"


def add(stats: Any, name: str, window: Window) -> None:
    """Add one window to a worker's statistics.

    :param stats: ``environment.stats``
    :param name: name of the request
    :param window: window of this worker
    """
    for entry in (stats.get(name, METHOD), stats.total):
        _add_to_entry(entry, window)
    for kind, count in window.failures.items():
        key = StatsError.create_key(METHOD, name, kind)
        error = stats.errors.setdefault(key, StatsError(METHOD, name, kind))
        error.occurrences += count


def _add_to_entry(entry: Any, window: Window) -> None:
    second, requests = window.second, window.requests + window.failed
    entry.num_requests += requests
    entry.num_failures += window.failed
    entry.num_reqs_per_sec[second] = (
        entry.num_reqs_per_sec.get(second, 0) + requests
    )
    entry.num_fail_per_sec[second] = (
        entry.num_fail_per_sec.get(second, 0) + window.failed
    )
    entry.last_request_timestamp = float(second)
    for floor_us, count in window.latency_us.counts.items():
        milliseconds = round(floor_us / 1000)
        entry.response_times[milliseconds] = (
            entry.response_times.get(milliseconds, 0) + count
        )
        entry.total_response_time += floor_us / 1000 * count
    if window.latency_us.counts:
        lowest_ms = min(window.latency_us.counts) / 1000
        highest_ms = max(window.latency_us.counts) / 1000
        before_ms = entry.min_response_time
        entry.min_response_time = (
            lowest_ms if before_ms is None else min(before_ms, lowest_ms)
        )
        entry.max_response_time = max(entry.max_response_time, highest_ms)
