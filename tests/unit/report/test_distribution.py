"""Latency by percentile, on an axis that counts nines."""

import dataclasses

import pytest

from rally_magnum_scale.in_bay.stats import histogram
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.report import distribution
from tests.unit import factories


def window(step, phase, **values):
    counts = {int(us): count for us, count in values.pop("counts").items()}
    return windows.Window(
        second=1,
        phase=phase,
        step=step,
        workers=1,
        requests=sum(counts.values()),
        latency_us=histogram.Histogram.from_values_us(counts),
    )


def test_each_step_has_its_steady_answers():
    run = records.Run(
        windows=(
            window(1, "ramp", counts={900_000: 50}),
            window(1, "steady", counts={1000: 90, 2000: 9}),
            window(1, "steady", counts={5000: 1}),
            window(2, "steady", counts={7000: 1}),
            window(3, "steady", counts={}),
        )
    )
    first, second = distribution.find(run)
    assert (first.step, first.total, second.total) == (1, 100, 1)
    spots = dict(first.spots)
    assert spots[0.0] == pytest.approx(1.0, rel=0.01)
    assert spots[1.0] == pytest.approx(1.0, rel=0.01)
    assert spots[1.04] == pytest.approx(2.0, rel=0.01)
    # The last of a hundred is the largest.
    assert first.spots[-1] == (2.0, pytest.approx(5.0, rel=0.01))
    assert second.spots[-1] == (0.0, pytest.approx(7.0, rel=0.01))


def test_spots_agree_with_the_percentiles_of_the_steps():
    run = factories.run()
    # The last step's own figures have late answers in them, too.
    step = run.throughput.steps[0]
    found = distribution.find(run)[0]
    for name, nines in (("p90", 1.0), ("p99", 2.0), ("p99_9", 3.0)):
        assert dict(found.spots)[nines] * 1000 == step.latency_us[name]


def test_the_drawing_tells_itself_in_words():
    found = distribution.find(factories.run())
    drawn = distribution.draw(found, "d")
    assert "Step 1, 98,760 responses: half within 0.94 ms" in drawn
    for text in (">99 %<", ">99.9 %<", ">step 2<", "share of the responses"):
        assert text in drawn


@pytest.mark.parametrize("us", [0, 1, 10**7])
def test_one_answer_is_drawn(us):
    run = records.Run(windows=(window(1, "steady", counts={us: 1}),))
    assert distribution.draw(distribution.find(run), "d")


def test_many_steps_are_told_apart():
    (one,) = distribution.find(
        records.Run(windows=(window(1, "steady", counts={5: 10, 9: 1}),))
    )
    many = [dataclasses.replace(one, step=step) for step in range(1, 15)]
    assert ">step 14<" in distribution.draw(many, "d")
