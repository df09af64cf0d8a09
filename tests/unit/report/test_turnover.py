import dataclasses

import pytest

from rally_magnum_scale.report import model
from rally_magnum_scale.report import page
from rally_magnum_scale.report import table
from rally_magnum_scale.report import turnover
from tests.unit import factories

BEGUN = 1_000_000.0


def iteration(number, nodes, *actions, changes=()):
    """An iteration whose actions ended at these seconds of the task."""
    run = dataclasses.replace(
        factories.run(iteration=number),
        bays=(factories.bay(uuid=str(number), nodes=nodes),),
        node_changes=changes,
    )
    return factories.iteration(
        number,
        run,
        started_at=BEGUN,
        actions=tuple(
            model.AtomicAction(name, BEGUN, BEGUN + at_s, failed=bool(failed))
            for name, at_s, *failed in actions
        ),
    )


CREATE, DELETE = "magnum.create_bay", "magnum.delete_bay"
RESIZE = "magnum.resize_bay"


def found(*iterations):
    return turnover.find([factories.workload(*iterations)])


def test_nodes_are_counted_when_they_are_there_and_when_they_are_gone():
    told = found(
        iteration(1, 200, (CREATE, 10), (DELETE, 1800)),
        iteration(2, 100, (CREATE, 20), (DELETE, 3600)),
    )
    assert [(one.at - BEGUN, one.nodes) for one in told.changes] == [
        (10, 200),
        (20, 100),
        (1800, -200),
        (3600, -100),
    ]
    assert (told.created, told.deleted) == (300, 300)
    assert told.sentence.startswith(
        "300 nodes created and 300 deleted in 3,600 s: 300 and 300 per hour"
    )


def test_a_resized_bay_goes_with_the_nodes_that_it_has_then():
    grown = factories.node_change(added=100, removed=0, nodes_after=300)
    told = found(
        iteration(
            1, 200, (CREATE, 1), (RESIZE, 2), (DELETE, 3), changes=(grown,)
        )
    )
    assert [one.nodes for one in told.changes] == [200, 100, -300]


def test_what_failed_created_nothing():
    told = found(
        iteration(1, 200, (CREATE, 10, "failed"), (DELETE, 20)),
        iteration(2, 5, (CREATE, 10)),
        iteration(3, 6, (CREATE, 11)),
    )
    assert (told.created, told.deleted) == (11, 0)


def test_a_change_that_failed_has_changed_what_it_has_changed():
    broken = factories.node_change(
        nodes_before=200, added=799, nodes_after=999, failure="deadline"
    )
    told = found(
        iteration(
            1,
            200,
            (CREATE, 1),
            (RESIZE, 2, "failed"),
            (DELETE, 3),
            changes=(broken,),
        )
    )
    assert [one.nodes for one in told.changes] == [200, 799, -999]


def test_a_single_bay_has_no_rate():
    assert found(iteration(1, 200, (CREATE, 10), (DELETE, 20))) is None


@pytest.mark.parametrize(
    ("length_s", "stretch_s"),
    [(10, 60), (3600, 60), (3601, 120), (36 * 3600, 3600), (90 * 3600, 7200)],
)
def test_there_are_never_many_stretches(length_s, stretch_s):
    assert turnover._stretch_s(length_s) == stretch_s


def test_a_short_task_has_no_course():
    workload = factories.workload(
        iteration(1, 2, (CREATE, 30)), iteration(2, 3, (CREATE, 120))
    )
    assert not turnover.find([workload]).has_course
    html = page.render(factories.report(workload))
    assert "5 nodes created and 0 deleted in 120 s" in html
    assert "Nodes created and deleted per hour" not in html


def test_it_is_drawn_and_told():
    workload = factories.workload(
        iteration(1, 200, (CREATE, 30), (DELETE, 90)),
        iteration(2, 100, (CREATE, 100), (DELETE, 150)),
    )
    report = factories.report(workload)
    told = turnover.find([workload])
    # Three stretches of a minute: 200, 100 and none were created.
    created = turnover.per_hour(told, 60, 3, lambda nodes: nodes > 0)
    assert created == [200 * 60, 100 * 60, 0]
    drawn = turnover.draw(told, "t")
    assert ">nodes per hour, over 1 min each<" in drawn
    assert ">minutes since the beginning<" in drawn
    assert ">created<" in drawn
    html = page.render(report)
    assert "Nodes created and deleted per hour" in html
    assert "300 nodes created and 300 deleted in 150 s" in html
    assert "300 nodes created" in table.render(report)


def test_several_tasks_are_drawn_over_the_hours_between_them():
    nights = [
        factories.workload(iteration(1, 200, (CREATE, at_s), (DELETE, at_s)))
        for at_s in (600, 24 * 3600)
    ]
    told = turnover.find(nights)
    assert ">hours since the beginning<" in turnover.draw(told, "t")
    # 48 stretches of half an hour, of which two have nodes.
    created = turnover.per_hour(told, 1800, 48, lambda nodes: nodes > 0)
    assert [at for at, rate in enumerate(created) if rate] == [0, 47]
