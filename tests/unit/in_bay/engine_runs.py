"""Runs of an engine in the process of a test."""

from concurrent.futures import ThreadPoolExecutor

from rally_magnum_scale.in_bay.fresh import engine_of
from rally_magnum_scale.in_bay.request_spec import Request
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from tests.unit import loads


def run(
    url,
    *steps,
    connections=4,
    timeout_s=5.0,
    request=(),
    run_other_greenlets=lambda: None,
    **details,
):
    """Run an engine that starts now, whatever the wall clock says."""
    job = loads.job(
        url,
        *steps,
        connections_per_worker=connections,
        timeout_s=timeout_s,
        request=Request(**dict(request)),
        **details,
    )
    reported = []
    outcome = engine_of(job)(
        job,
        start_second=1000,
        report=reported.append,
        run_other_greenlets=run_other_greenlets,
        # The start is 100 ms away: time to open the connections.
        wall_ns=lambda: 999_900_000_000,
    ).run()
    return outcome, reported


def side_by_side(experiment, cases):
    """Make an experiment in each of several ways, all at the same time.

    A run takes whole seconds, in which a few requests leave the processor
    almost nothing to do.

    :param experiment: called with the values of a case
    :returns: the future of each case, which is done
    """
    cases = [*cases]
    with ThreadPoolExecutor(len(cases)) as threads:
        return {case: threads.submit(experiment, *case) for case in cases}


def whole(reported):
    empty = Histogram()
    return (
        empty.merge(*(one.latency_us for one in reported)),
        empty.merge(*(one.service_us for one in reported)),
        empty.merge(*(one.schedule_lag_us for one in reported)),
    )
