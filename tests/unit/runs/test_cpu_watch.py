import contextlib
import time

import pytest

from rally_magnum_scale.in_bay.stats.cpu_time import Reading
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.runs import cpu_watch
from rally_magnum_scale.runs import probes
from tests.unit.kube import fake_api

PAGE = "/api/v1/nodes/n1/proxy/metrics/resource"


def page(at_s, used_s):
    labels = '{namespace="ns",pod="t-1"}'
    return (
        f"node_cpu_usage_seconds_total {used_s * 2} {at_s * 1000:.0f}\n"
        f"pod_cpu_usage_seconds_total{labels} {used_s} {at_s * 1000:.0f}\n"
    )


PODS = probes.LoadPods(
    targets=[{"metadata": {"name": "t-1"}, "spec": {"nodeName": "n1"}}]
)


@pytest.fixture(autouse=True)
def slice_s(monkeypatch):
    """Keep the thread idle, so that the tests decide when it reads."""
    monkeypatch.setattr(cpu_watch, "SLICE_S", 3600.0)


class Watched:
    """A watch on one node, and the clocks of its two sides."""

    def __init__(self, pages, *, deadline_s=5.0):
        self._pages = pages
        self._deadline_s = deadline_s
        self.now_s = 50.0

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        self.fake, cluster = self._stack.enter_context(
            fake_api.serve({PAGE: self._pages})
        )
        self.watch = cpu_watch.CpuWatch(
            cluster,
            "ns",
            deadline_s=self._deadline_s,
            clock=lambda: self.now_s,
        )
        self._stack.enter_context(self.watch.observing(PODS))
        # A request that is still open would be waited for.
        self._stack.callback(self.fake.closing.set)
        return self

    def __exit__(self, *_):
        self._stack.close()

    def began(self, *steps, second=1010):
        self.watch.on_record(
            {
                "record": "start",
                "second": second,
                "written_s": self.now_s + 955.25,
                "steps": Plan(steps).to_json(),
            }
        )

    def at(self, epoch_s):
        """Set the clock to a moment; return the number of reads so far."""
        self.now_s = epoch_s - 1005.25 + 50.0
        self.watch.read_if_due()
        return len(self.fake.queries)


def test_counters_are_read_at_the_start_within_and_at_the_end_of_a_step():
    counted = [(1014, 101.4), (1026, 102.6), (1033, 103.3), (1074, 107.4)]
    with Watched([page(*one) for one in counted]) as seen:
        seen.began(Step(10, 60, 5))
        moments = (1014, 1016, 1029, 1031, 1034, 1036, 1076)
        assert [seen.at(when) for when in moments] == [0, 1, 1, 2, 2, 3, 4]
        counters = seen.watch.counters
    assert counters.targets == {"t-1": [Reading(*one) for one in counted]}
    assert counters.nodes == {
        "n1": [Reading(at_s, used_s * 2) for at_s, used_s in counted]
    }
    assert counters.missing == ""


def test_counters_are_read_in_the_middle_of_a_short_step():
    with Watched([page(1, 1)]) as seen:
        seen.began(Step(10, 10))
        moments = (1010, 1012, 1013, 1014.5, 1015.5, 1020)
        assert [seen.at(when) for when in moments] == [1, 1, 2, 2, 3, 4]


def test_counters_are_not_read_more_often_in_a_step_of_an_hour():
    with Watched([page(1, 1)]) as seen:
        seen.began(Step(10, 3600))
        moments = range(1010, 4611, 5)
        assert [seen.at(when) for when in moments][-1] == 3


def test_moments_that_coincide_or_were_missed_cost_one_read():
    with Watched([page(1, 1)]) as seen:
        seen.began(Step(10, 60), Step(20, 60))
        moments = (1010, 1026, 1031, 1070)
        assert [seen.at(when) for when in moments] == [1, 2, 3, 4]
        assert seen.at(1200) == 5
        # A step that is known later.
        seen.began(Step(30, 10), second=1300)
        assert [seen.at(when) for when in (1299, 1300)] == [5, 6]


def test_reading_stops_when_nodes_keep_refusing():
    with Watched([403]) as seen:
        seen.began(*[Step(10, 20)] * 3)
        reads = [seen.at(1010 + 10 * number) for number in range(7)]
        assert reads == [1, 2, 2, 2, 2, 2, 2]
        counters = seen.watch.counters
    assert counters.targets == {"t-1": []}
    assert "403" in counters.missing


def test_a_node_that_fails_once_is_read_again():
    pages = [30.0, page(1033, 3), page(1074, 7)]
    with Watched(pages, deadline_s=2.0) as seen:
        seen.began(Step(10, 60))
        assert [seen.at(when) for when in (1010, 1030, 1070)] == [1, 2, 3]
        counters = seen.watch.counters
    assert [one.used_s for one in counters.targets["t-1"]] == [3, 7]
    assert "did not answer" in counters.missing


def test_a_thread_reads_the_counters_while_the_load_runs(monkeypatch):
    monkeypatch.setattr(cpu_watch, "SLICE_S", 0.01)
    with Watched([page(1, 1)]) as seen:
        seen.began(Step(10, 60))
        seen.now_s = 1e9
        for _ in range(2000):
            if seen.watch.counters.nodes["n1"]:
                break
            time.sleep(0.01)
        assert len(seen.fake.queries) == 1


def test_the_counters_are_read_once_more_when_the_load_has_ended():
    with Watched([page(1, 1)]) as seen:
        seen.began(Step(10, 60))
        seen.now_s = 1e9
    assert len(seen.fake.queries) == 1


def test_a_load_that_ends_before_its_first_step_reads_no_counters():
    with Watched([page(1, 1)]) as seen:
        seen.began(Step(10, 60))
    assert seen.fake.queries == []
