import base64
import dataclasses
import re

import pytest

from rally_magnum_scale.report import drawing
from rally_magnum_scale.report import page
from rally_magnum_scale.report import plot
from rally_magnum_scale.report import run_plots
from rally_magnum_scale.report import series
from tests.unit import factories


def versions_of(run, limit=series.MAX_POINTS):
    found = [
        p
        for p in run_plots.plots(run, series.read(run, limit))
        if p.kind == "versions"
    ]
    return found[0] if found else None


def shares(found):
    return [
        [line.read(point) for point in found.course.points]
        for line in found.lines
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
    assert [found.lines[0].base(one) for one in found.course.points] == [
        0,
        25,
        75,
        100,
    ]
    assert found.description == (
        "Of all responses: version 1: 54.8 % (17), version 2: 45.2 % (14). "
        "Seen were version 1 from 0 to 3 s; version 2 from 1 to 4 s."
    )
    assert found.values == "share of the responses"


def test_all_plots_have_one_time_axis_and_the_same_events():
    rate, latency, versions = run_plots.plots(factories.updated())
    assert rate.course == latency.course == versions.course
    assert rate.course.events
    drawn = [plot.draw(one, "i") for one in (rate, latency, versions)]
    ids = {re.search(r'<title id="([^"]+)"', one)[1] for one in drawn}
    assert ids == {"i-rate-t", "i-latency-t", "i-versions-t"}
    for one in drawn:
        assert ">seconds since the load began<" in one
        assert numbers_of(one) == ["1", "2"]


def test_versions_are_merged_and_not_averaged():
    counts = [{"1": 90}, {"2": 10}, {"1": 10, "2": 90}, {"2": 10}]
    found = versions_of(with_versions(*counts), limit=2)
    assert [one.versions for one in found.course.points] == [
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
    assert [(line.name, line.colour) for line in found.lines] == [
        ("version 9", "offer"),
        ("version 10", "blue"),
        ("version x", "violet"),
        ("unknown version", "quiet"),
    ]


def test_without_versions_there_is_no_such_plot():
    assert versions_of(factories.run()) is None
    assert "Responses by version" not in a_page(factories.run())
    assert "answers_version" not in csv_of(factories.run())


def test_one_version_alone_is_plotted_only_where_another_was_to_come():
    run = with_versions({"1": 5}, {"1": 5})
    assert versions_of(run) is None
    run = dataclasses.replace(run, updates=(factories.update(),))
    assert shares(versions_of(run)) == [[100, 100]]


def areas_of(found):
    """The corners of the areas of each line, in seconds and per cent."""
    drawn = {}
    for line in found.lines:
        _, axes = drawing.new()
        plot._draw_area(axes, line, found.course.points, 1)
        drawn[line.name] = [
            one.get_paths()[0].vertices for one in axes.collections
        ]
    return drawn


def test_areas_leave_out_seconds_that_are_missing():
    run = factories.updated()
    gone = {factories.START + 12, factories.START + 13}
    seen = tuple(one for one in run.windows if one.second not in gone)
    found = versions_of(dataclasses.replace(run, windows=seen))
    for parts in areas_of(found).values():
        edges = [(min(part[:, 0]), max(part[:, 0])) for part in parts]
        assert edges == [(0, 12), (14, 27)]


def test_areas_fill_the_whole_height():
    found = versions_of(with_versions({"1": 3, "2": 1}))
    levels = {
        name: sorted(set(part[:, 1]))
        for name, (part,) in areas_of(found).items()
    }
    assert levels == {"version 1": [25, 100], "version 2": [0, 25]}
    assert "fill-opacity: 0.55" in plot.draw(found, "i")


def test_other_plots_have_no_areas():
    rate, latency, _ = run_plots.plots(factories.updated())
    for one in (rate, latency):
        assert "fill-opacity: 0.55" not in plot.draw(one, "i")


def test_the_page_draws_the_versions_and_tells_them_to_all_readers():
    text = a_page(factories.updated())
    assert (
        "<figcaption>Responses by version of the targets</figcaption>" in text
    )
    assert text.count('id="w1i1-versions-d"') == 1
    assert "Of all responses: version 1: 35.7 % (127,496), version 2" in text
    assert ">version 2</text>" in text


def numbers_of(drawn):
    """The numbers of the events in a drawing."""
    return re.findall(r"fill: var\(--page\)[^>]*>([\d\u2013]+)</text>", drawn)


def test_what_does_not_count_and_what_is_missing_is_marked():
    run = factories.run(reasons=["a worker died"], without=(5, 6))
    drawn = plot.draw(run_plots.plots(run)[0], "i")
    for words in (
        ">invalid, does not count<",
        ">windows missing<",
        ">ramp or stop, not counted<",
        ">step 1 does not count<",
    ):
        assert drawn.count(words) == 1
    good = plot.draw(run_plots.plots(factories.run())[0], "i")
    assert "invalid" not in good
    assert "missing" not in good
    assert ">step 1<" in good


def test_a_line_is_cut_where_windows_are_missing():
    def lines_of(run):
        drawn = plot.draw(run_plots.plots(run)[0], "i")
        return len(
            re.findall(r'<path d="[^"]*"[^>]*stroke: var\(--blue\)', drawn)
        )

    whole = lines_of(factories.run())
    assert lines_of(factories.run(without=(5, 6))) == whole + 1


def test_a_long_load_counts_minutes():
    hour = factories.plan(100, duration_s=600, ramp_s=0)
    drawn = plot.draw(run_plots.plots(factories.run(hour, samples=5))[0], "i")
    assert ">minutes since the load began<" in drawn


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
