"""OpenMetrics text, read by the parser of the library."""

import dataclasses

from prometheus_client.openmetrics import parser

from rally_magnum_scale.history import storage
from rally_magnum_scale.report import new_runs
from rally_magnum_scale.report import openmetrics
from tests.unit import factories

STATES = storage.STATES


class Seen:
    """The samples that a collector gets."""

    def __init__(self, *runs):
        text = openmetrics.render(runs)
        families = parser.text_string_to_metric_families(text)
        self.samples = [one for family in families for one in family.samples]

    def values(self, name, **labels):
        """The values of the samples with this name and these labels."""
        return [
            one.value
            for one in self.samples
            if one.name == openmetrics.PREFIX + name
            and labels.items() <= one.labels.items()
        ]


def test_verdicts_and_figures_are_there_for_a_collector():
    late = "the load generator was the limit"
    run = factories.run(reasons=[late])
    sla = {"bay_create_time": {"max_s": 1}, "request_rate": {"min_rps": 1}}
    (found,) = new_runs.of_report(
        factories.report(
            factories.workload(factories.iteration(of_run=run), sla=sla)
        )
    )
    created = {"metric": "bay_create_time.max_s", "unit": "s"}
    rate = {"metric": "request_rate.min_rps step 2", "unit": "rps"}
    seen = Seen(found)
    assert seen.values("value", **created) == [12.4]
    assert seen.values("bound_holds", **created) == [0]
    assert seen.values("bound", **created) == [1]
    # What does not count is no figure.
    assert seen.values("value", **rate) == []
    assert seen.values("bound_holds", **rate) == [0]
    states = {one: seen.values("run_state", **{"is": one}) for one in STATES}
    assert states == {
        "holds": [0],
        "fails": [0],
        "invalid": [1],
        "broken": [0],
    }
    assert seen.values("run_began_seconds", title=found.title) == [found.at_s]


def test_the_newest_run_of_a_task_is_told():
    (old,) = new_runs.of_report(factories.report())
    new = dataclasses.replace(old, task="2", at_s=old.at_s + 60, title='a"b\\')
    newer = dataclasses.replace(new, at_s=new.at_s + 60, state="broken")
    seen = Seen(newer, new, old)
    broken = {"is": "broken", "workload": "1"}
    assert seen.values("run_state", title='a"b\\', **broken) == [1]
    assert seen.values("run_state", title=old.title, **broken) == [0]
    assert len(seen.values("run_began_seconds")) == 2


def test_value_and_bound_of_a_search_join_by_their_labels():
    one = factories.iteration(of_run=factories.searched())
    sla = {"max_rate": {"min_rps": 9_000}}
    (run,) = new_runs.of_report(
        factories.report(factories.workload(one, sla=sla))
    )
    seen = Seen(run)
    labels = {"metric": "max_rate.min_rps", "unit": "rps"}
    assert seen.values("value", **labels) == [9_800]
    assert seen.values("bound", **labels) == [9_000]
    assert seen.values("bound_holds", **labels) == [1]
