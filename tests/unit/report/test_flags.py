import itertools

import pytest

from rally_magnum_scale.report import page
from rally_magnum_scale.report import plot
from rally_magnum_scale.report import run_plots
from rally_magnum_scale.report import series
from tests.unit import factories
from tests.unit.report import test_run_plots

WIDTH = 360.0


def place(*pixels, width=WIDTH):
    return plot.place_flags(
        [
            (number, x, series.Event(x, f"kind_{number}", f"detail {number}"))
            for number, x in enumerate(pixels, 1)
        ],
        width,
    )


def overlap(one, other):
    apart = (
        one.left + one.width <= other.left
        or other.left + other.width <= one.left
    )
    return not apart and abs(one.up - other.up) < plot.FLAG_HEIGHT


def test_an_event_alone_is_marked_on_the_axis():
    (found,) = place(100.0)
    assert (found.x, found.middle, found.up) == (100, 100, 0)
    assert (found.text, found.width) == ("1", plot.FLAG_HEIGHT)
    assert found.title == "1. kind 1 at 100 s: detail 1"


def test_events_in_the_same_second_share_a_mark():
    first, last = place(100.0, 100.0, 103.0, 200.0)
    assert (first.text, last.text) == ("1\N{EN DASH}3", "4")
    assert first.x == 100
    assert first.title.count("; ") == 2
    assert "3. kind 3 at 103 s: detail 3" in first.title


def test_a_mark_stands_no_further_from_its_events_than_it_can_be_told():
    pixels = [100 + 3.0 * at for at in range(12)]
    found = place(*pixels)
    assert [one.x for one in found] == [100, 106, 112, 118, 124, 130]
    assert found[-1].text == "11\N{EN DASH}12"


def test_events_close_together_stand_above_one_another():
    found = place(100.0, 108.0, 117.0, 140.0)
    assert [one.text for one in found] == ["1", "2", "3", "4"]
    assert [one.up for one in found] == [0, plot.FLAG_STEP, 0, 0]


@pytest.mark.parametrize("step", [0.3, 1, 2.5, 5.9, 6, 7, 15.9, 16, 40])
def test_no_mark_covers_another_or_leaves_the_drawing(step):
    found = place(*itertools.islice(itertools.count(46, step), 200))
    inside = [one for one in found if one.x <= WIDTH]
    for one, other in itertools.combinations(inside, 2):
        assert not overlap(one, other)
    for one in inside:
        assert 0 <= one.left <= one.left + one.width <= WIDTH
        # Below the top of the narrow plots, whatever happened.
        assert one.up < plot.DOWN


def test_the_ends_of_the_drawing_push_a_mark_inside():
    for x in (1.0, WIDTH - 1):
        (found,) = place(x, x)
        assert 0 <= found.left <= WIDTH - found.width
        assert found.x == x


def test_the_plots_mark_what_happened_while_the_load_ran():
    run = factories.run(
        events=[
            factories.event(-3, "before", ""),
            factories.event(8.2, "update_began", "of 4 targets"),
            factories.event(99, "after", ""),
            {"kind": "undated"},
        ]
    )
    for one in run_plots.plots(run):
        drawn = plot.draw(one, "i")
        assert test_run_plots.numbers_of(drawn) == ["2"]
        assert "2. update began at 8.2 s: of 4 targets." in drawn


def test_the_page_numbers_events_and_says_them_in_words():
    text = page.render(
        factories.report(
            factories.workload(factories.iteration(of_run=factories.updated()))
        )
    )
    # Rate, latency and versions.
    assert test_run_plots.numbers_of(text) == ["1", "2"] * 3
    assert text.count(" 1. update began at 8.2 s: of 4 targets.") == 3
    assert '<th scope="row">update began</th>' in text
