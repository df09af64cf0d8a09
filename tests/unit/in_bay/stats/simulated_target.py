"""A target whose latency grows as a queue's does, and searches on it."""

import dataclasses
import math
import random

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import trials


class Target:
    """Servers with one queue (M/M/c, by Sakasegawa's approximation).

    :param capacity_rps: of all its servers together
    :param servers: how many share the queue
    :param base_ms: latency of an answer that need not wait
    :param noise: relative standard deviation of what it can do in a step
    :param connections: of the closed loop
    :param generator_rps: above it, the load generator is the limit
    :param hiccups: numbers of the steps whose figures do not count
    """

    def __init__(
        self,
        capacity_rps,
        servers=4,
        base_ms=1.0,
        noise=0.0,
        seed=0,
        connections=64,
        generator_rps=math.inf,
        hiccups=(),
    ):
        self.capacity_rps = capacity_rps
        self._servers = servers
        self._base_ms = base_ms
        self._noise = noise
        self._connections = connections
        self._generator_rps = generator_rps
        self._hiccups = hiccups
        self._random = random.Random(seed)

    def p99_ms(self, rate_rps, step_s, capacity_rps=None):
        capacity_rps = capacity_rps or self.capacity_rps
        load = rate_rps / capacity_rps
        behind_s = step_s * max(0.0, 1 - 1 / load)
        load = min(load, 0.9999)
        waiting = load ** (math.sqrt(2 * (self._servers + 1)) - 1)
        wait_s = max(0.0, math.log(100 * waiting)) / (1 - load) / capacity_rps
        return self._base_ms + 1000 * max(min(wait_s, step_s), behind_s)

    def highest_rps(self, bound_ms, step_s=10):
        """The true answer."""
        low_rps, high_rps = 0.0, self.capacity_rps
        for _ in range(60):
            middle_rps = (low_rps + high_rps) / 2
            if self.p99_ms(middle_rps, step_s) <= bound_ms:
                low_rps = middle_rps
            else:
                high_rps = middle_rps
        return low_rps

    def run(self, trial):
        """Return the figures of a step."""
        noise = math.exp(self._random.gauss(0, self._noise))
        capacity_rps = self.capacity_rps * noise
        if trial.rate_rps is None:
            open_rps = self._connections / self._base_ms * 1000
            return result(trial, min(capacity_rps, open_rps), 1.0)
        p99_ms = self.p99_ms(trial.rate_rps, trial.duration_s, capacity_rps)
        p99_ms *= math.exp(self._random.gauss(0, 2 * self._noise))
        reasons = []
        if trial.rate_rps > self._generator_rps:
            reasons.append("the load generator was the limit")
        if trial.step in self._hiccups:
            reasons.append("the load generator stalled")
        achieved_rps = min(trial.rate_rps, capacity_rps, self._generator_rps)
        return result(trial, achieved_rps, p99_ms, reasons)


def result(trial, achieved_rps, p99_ms, reasons=(), errors=0.0):
    """Return the figures of a step that came to this."""
    return records.StepResult(
        step=trial.step,
        offered_rps=trial.rate_rps,
        steady_s=trial.duration_s,
        requests=int(achieved_rps * trial.duration_s),
        failures={},
        due=int((trial.rate_rps or achieved_rps) * trial.duration_s),
        achieved_rps=achieved_rps,
        error_ratio=errors,
        latency_us={"p50": int(p99_ms * 300), "p99": int(p99_ms * 1000)},
        service_us={},
        schedule_lag_p99_us=10,
        rps_per_core=achieved_rps / 2,
        rps_per_core_real_nodes=achieved_rps / 4,
        reasons=list(reasons),
    )


def plain(wanted, done):
    """Search without a look at what overloaded steps answered."""
    blind = [dataclasses.replace(one, achieved_rps=None) for one in done]
    return rate_search.next_trial(wanted, blind)


def search(wanted, target, next_trial=rate_search.next_trial):
    """Run a search to its end; return its steps and its answer."""
    done, results = [], []
    while trial := next_trial(wanted, done):
        assert trial.step == len(done) + 1 <= wanted.max_steps
        results.append(target.run(trial))
        done.append(trials.judge(wanted, trial, results[-1]))
    return done, rate_search.conclude(wanted, done, results)
