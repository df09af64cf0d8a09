"""The loop delay that an engine measures."""

import time

import pytest

from rally_magnum_scale.in_bay.engine import Engine
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from tests.unit import loads

AWAY_S = 0.8


class Away:
    """A greenlet that keeps the process for itself, in the second second.

    :param reported: the windows so far
    """

    def __init__(self, reported):
        self._reported = reported
        self._was = False

    def __call__(self):
        if len(self._reported) == 1 and not self._was:
            self._was = True
            time.sleep(AWAY_S)


@pytest.mark.parametrize("rate_rps", [200, None])
def test_a_blocking_greenlet_shows_in_the_loop_delay(serve, rate_rps):
    plan = Plan((Step(rate_rps, 3),))
    reported = []
    Engine(
        loads.job(serve().url, plan=plan, connections_per_worker=2),
        start_second=1000,
        report=reported.append,
        run_other_greenlets=Away(reported),
        wall_ns=lambda: 1_000_000_000_000,
    ).run()
    delays_us = [one.loop_delay_max_us for one in reported]
    assert max(delays_us) >= AWAY_S * 1e6
    # Only the second in which it happened reports it.
    assert delays_us.index(max(delays_us)) == 1
    assert sum(one >= AWAY_S * 1e6 for one in delays_us) == 1
