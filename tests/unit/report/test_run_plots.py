import base64
import dataclasses
import re

import pytest

from rally_magnum_scale.report import areas
from rally_magnum_scale.report import page
from rally_magnum_scale.report import plot
from rally_magnum_scale.report import run_plots
from rally_magnum_scale.report import series
from tests.unit import factories


def versions_of(run, limit=series.MAX_POINTS):
    found = [p for p in run_plots.plots(run, limit) if p.kind == "versions"]
    return found[0] if found else None


def shares(found):
    return [
        [line.read(point) for point in found.points] for line in found.lines
    ]


def with_versions(*each):
    """A run whose windows counted these, one after another."""
    run = factories.run(factories.plan(100, duration_s=len(each), ramp_s=0))
    seen = tuple(
        dataclasses.replace(one, versions=found)
        for one, found in zip(run.windows, each, strict=False)
    )
    return dataclasses.replace(run, windows=seen)


def a_page(run):
    return page.render(
        factories.report(factories.workload(factories.iteration(of_run=run)))
    )


def test_the_shares_of_the_versions_are_plotted_second_by_second():
    found = versions_of(
        with_versions({"1": 10}, {"1": 6, "2": 2}, {"1": 1, "2": 3}, {"2": 9})
    )
    assert [line.name for line in found.lines] == ["version 1", "version 2"]
    assert shares(found) == [[100, 75, 25, 0], [0, 25, 75, 100]]
    # The first stands on what came after it.
    assert [found.lines[0].base(one) for one in found.points] == [
        0,
        25,
        75,
        100,
    ]
    assert found.description == (
        "Of all answers: version 1: 54.8 % (17), version 2: 45.2 % (14). "
        "Seen were version 1 from 0 to 3 s; version 2 from 1 to 4 s."
    )
    assert found.y_axis.high == 100


def test_all_plots_have_one_time_axis_and_the_same_events():
    rate, latency, versions = run_plots.plots(factories.updated())
    for name in ("points", "spans", "gaps", "events", "length_s"):
        assert getattr(rate, name) == getattr(versions, name)
    for width, height in (page.WIDE, page.NARROW):
        drawn = [
            plot.draw(one, "i", width, height)
            for one in (rate, latency, versions)
        ]
        assert drawn[0].x_ticks == drawn[2].x_ticks
        assert drawn[0].events == drawn[2].events
        assert len({one.identifier for one in drawn}) == 3


def test_versions_are_merged_and_not_averaged():
    counts = [{"1": 90}, {"2": 10}, {"1": 10, "2": 90}, {"2": 10}]
    found = versions_of(with_versions(*counts), limit=2)
    assert [one.versions for one in found.points] == [
        {"1": 90, "2": 10},
        {"1": 10, "2": 100},
    ]
    assert shares(found)[0][0] == 90
    assert shares(found)[0][1] == pytest.approx(100 / 11)


def test_a_second_without_an_answer_has_no_share():
    found = versions_of(with_versions({"1": 1}, {}, {"2": 1}))
    assert shares(found) == [[100, None, 0], [0, None, 100]]


def test_versions_are_in_order_and_those_not_told_come_last():
    found = versions_of(with_versions({"10": 1, "9": 1, "": 1, "x": 1}))
    assert [(line.name, line.style) for line in found.lines] == [
        ("version 9", "v1"),
        ("version 10", "v2"),
        ("version x", "v3"),
        ("no version told", "v0"),
    ]


def test_without_versions_there_is_no_such_plot():
    assert versions_of(factories.run()) is None
    assert "Answers by version" not in a_page(factories.run())
    assert "answers_version" not in csv_of(factories.run())


def test_one_version_alone_is_plotted_only_where_another_was_to_come():
    run = with_versions({"1": 5}, {"1": 5})
    assert versions_of(run) is None
    run = dataclasses.replace(run, updates=(factories.update(),))
    assert shares(versions_of(run)) == [[100, 100]]


def test_an_area_goes_up_and_comes_back():
    assert areas.outline([(0, 10, 100, 40), (10, 20, 100, 40)]) == (
        "M0 40L20 40L20 100L0 100Z"
    )
    assert areas.outline([(0, 10, 100, 40), (10, 20, 90, 0)]) == (
        "M0 40L10 40L10 0L20 0L20 90L10 90L10 100L0 100Z"
    )


def test_areas_leave_out_seconds_that_are_missing():
    run = factories.updated()
    gone = {factories.START + 12, factories.START + 13}
    seen = tuple(one for one in run.windows if one.second not in gone)
    found = versions_of(dataclasses.replace(run, windows=seen))
    first, second = plot.draw(found, "i", *page.WIDE).paths
    # The new version is drawn from where it is seen.
    left, right = (46 + 1022 * at / 27 for at in (9, 27))
    corners = [float(x) for x in re.findall(r"[ML]([\d.]+) ", second.data)]
    assert (min(corners), max(corners)) == (round(left, 1), round(right, 1))
    assert first.filled
    assert first.data.count("M") == second.data.count("M") == 2
    assert first.data.count("Z") == 2


def test_areas_fill_the_whole_height():
    found = versions_of(with_versions({"1": 3, "2": 1}))
    drawn = plot.draw(found, "i", *page.WIDE)
    levels = [
        sorted(set(map(float, re.findall(r" ([\d.]+)", path.data))))
        for path in drawn.paths
    ]
    edge = drawn.bottom - (drawn.bottom - drawn.top) / 4
    assert levels == [[drawn.top, edge], [edge, drawn.bottom]]


def test_each_area_is_named_where_it_is_widest_and_has_room():
    found = versions_of(factories.updated())
    wide = plot.draw(found, "i", *page.WIDE).labels
    assert [one.text for one in wide] == ["version 1", "version 2"]
    assert wide[0].x < wide[1].x
    # Between the left edge and where half is new.
    assert 46 < wide[0].x < wide[1].x < 1068
    back = with_versions(
        *[{"1": 1}] * 5, *[{"2": 1}] * 5, *[{"1": 1}] * 20, {"2": 1}
    )
    (again,) = plot.draw(versions_of(back), "i", *page.NARROW).labels
    assert again.text == "version 1"
    assert again.x > 46 + (360 - 46 - 12) / 2
    brief = with_versions(*[{"1": 1}] * 40, {"2": 1})
    named = plot.draw(versions_of(brief), "i", *page.NARROW).labels
    assert [one.text for one in named] == ["version 1"]


def test_other_plots_have_no_areas():
    rate, latency, _ = run_plots.plots(factories.updated())
    for one in (rate, latency):
        drawn = plot.draw(one, "i", *page.WIDE)
        assert drawn.labels == ()
        assert not any(path.filled for path in drawn.paths)


def test_the_page_draws_the_versions_and_tells_them_to_all_readers():
    text = a_page(factories.updated())
    assert "<figcaption>Answers by version of the targets</figcaption>" in text
    # Both widths, and once in the legend.
    assert text.count('class="area v2"') == 3
    assert text.count("-versions-1080-d") == text.count("-versions-360-d") == 2
    assert "</title>\n<desc" in text
    assert "Of all answers: version 1: 35.7 % (127,496), version 2" in text
    assert ".area.v2 {" in text


def csv_of(run):
    found = re.search(r'href="data:text/csv;base64,([^"]+)"', a_page(run))
    return base64.b64decode(found[1]).decode()


def test_the_plotted_versions_can_be_taken_along():
    head, *rows = csv_of(factories.updated()).splitlines()
    assert head.endswith(",max_us,answers_version_1,answers_version_2")
    assert rows[0].endswith(",0")
    run = factories.updated()
    both = rows[13].split(",")[-2:]
    assert list(map(int, both)) == list(run.windows[13].versions.values())
