"""A context with pods and nodes under test control, and a disruption in it."""

from __future__ import annotations

import threading
import time

from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.runs import disruption
from rally_magnum_scale.workload import events
from tests.unit import loads

DEADLINE_S = 10.0
# The workers' clock, when the context's own says 0.
EPOCH_S = 1000.0


def spec_of(**changes):
    return loads.load_spec(Step(100, 20, 0), **{"targets": 2, **changes})


def pod(name, node, *, version="1", ready=True, going=False, state=None):
    metadata = {"name": name, "labels": {events.LABEL_VERSION: version}}
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {
        "metadata": metadata,
        "spec": {"nodeName": node, "containers": [{"name": "target"}]},
        "status": {
            "conditions": [
                {"type": "Ready", "status": "True" if ready else "False"}
            ],
            "containerStatuses": [
                {"name": "target", "image": "i", "state": state or {}}
            ],
        },
    }


def node(name, *, ready=True):
    condition = {"type": "Ready", "status": "True" if ready else "Unknown"}
    return {"metadata": {"name": name}, "status": {"conditions": [condition]}}


class ControlledContext:
    """A context with a clock and objects that the test moves.

    :param cluster: a fake one, where requests are made
    """

    def __init__(self, cluster, **changes):
        self.now = 0.0
        self.log = []
        self.context = disruption.DisruptionContext(
            cluster, spec_of(**changes), self.log.append, lambda: self.now
        )
        self.context.target_ip = "10.0.0.1"

    def move(self, now, *, pods=None, nodes=None, late_s=0.0):
        """Advance the clock and change objects.

        :param late_s: by how much the watch may report the change late
        """
        self.now = now
        for follower, items in (
            (self.context.targets, pods),
            (self.context.nodes, nodes),
        ):
            if items is not None:
                seen = {one["metadata"]["name"]: one for one in items}
                follower._staleness.not_before = now - late_s
                follower._take(seen)


class RunningDisruption:
    """A disruption that acts in a thread, step by step."""

    def __init__(self, one):
        self.one = one
        self.error = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.one.context.stopped.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def _run(self):
        try:
            self.one.act()
        except Exception as error:
            self.error = error

    def until(self, holds):
        """Wait, in real time, until a condition holds."""
        end = time.monotonic() + DEADLINE_S
        while not holds():
            assert self.error is None, self.error
            assert time.monotonic() < end
            time.sleep(0.01)

    def over(self):
        """Wait until the disruption is over."""
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def over_late(self, controlled):
        """Advance the clock until the disruption has missed its deadline.

        A wait may begin after any one advance.
        """
        end = time.monotonic() + DEADLINE_S
        while self._thread.is_alive():
            assert time.monotonic() < end
            controlled.now += 100
            self._thread.join(0.05)


def window(second, *, failures=None, versions=None, phase="steady"):
    times = Histogram.from_values_us({900: 100})
    return Window(
        second=int(EPOCH_S) + second,
        phase=phase,
        step=1,
        workers=1,
        requests=100,
        failures=failures or {},
        latency_us=times,
        service_us=times,
        versions=versions or {},
    )


def results_of(windows, *, until_s=float("inf")):
    return disruption.LoadResults(
        windows=windows,
        end=None,
        offset_s=EPOCH_S,
        until_s=until_s,
        cores_pods=4.0,
        cores_real_nodes=8.0,
    )
