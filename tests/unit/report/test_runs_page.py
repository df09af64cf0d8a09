"""The page over many runs, and the drawings in it."""

import dataclasses
import html.parser
import re

import pytest

from rally_magnum_scale.history import change_points
from rally_magnum_scale.report import drawing
from rally_magnum_scale.report import runs_page
from tests.unit.history import test_storage

CREATED = "bay_create_time.max_s"
(METRIC,) = (one for one in test_storage.GOOD.metrics if one.name == CREATED)
QUIET = [10.0, 10.1, 9.9, 10.0, 10.2, 9.8, 10.0, 10.1, 9.9, 10.0]


def nights(*values, **changes):
    return [
        test_storage.nightly(
            number,
            metrics=(dataclasses.replace(METRIC, value=value),),
            link=f"{number}/page.html",
            **changes,
        )
        for number, value in enumerate(values, 1)
    ]


def test_what_got_worse_is_said_drawn_and_linked():
    page = runs_page.render(nights(*QUIET, 13.0, 13.1, 12.9))
    assert "Worse: bay_create_time.max_s: 29% worse, 12.9 s after 10 s" in page
    assert re.search(r"p = 0\.000\d+: noise alone", page)
    assert "noise alone would make a difference this large in" in page
    assert " sure" not in page
    assert "30.0% worse since 1970-01-12 00:00: 13 s after 10 s" in page
    assert '<a href="13/page.html">1970-01-14 00:00</a>' in page
    # The change is marked in the drawing, in the colour of a fault.
    assert "stroke-dasharray" in page
    assert "var(--bad)" in page
    assert "3 older runs" in page


def test_quiet_nights_are_said_to_be_quiet():
    page = runs_page.render(nights(*QUIET, 10.1))
    assert "None of 1 metric is known to be worse than before" in page
    assert "worse since" not in page


def test_what_does_not_count_is_marked_and_not_connected():
    runs = nights(*QUIET)
    late = dataclasses.replace(METRIC, value=50.0, reason="it was late")
    runs[4] = dataclasses.replace(
        runs[4], metrics=(late,), state="invalid", sentence="It was late."
    )
    page = runs_page.render(runs)
    assert "9 runs, from 9.8 s to 10.1 s; the newest 10 s; 1 do not" in page
    assert '<td data-name="Does not count, as">it was late</td>' in page
    assert "! invalid" in page


def test_groups_stand_apart_and_the_newest_stands_first():
    other = test_storage.under(nodes="500 (499 hollow)")
    old = nights(*QUIET[:3])
    new = [
        dataclasses.replace(one, conditions=other, at_s=one.at_s + 1e6)
        for one in old
    ]
    page = runs_page.render([*old, *new])
    assert page.index("500 (499 hollow)") < page.index("200 (199 hollow)")


def test_a_page_needs_no_network_and_no_script():
    page = runs_page.render(nights(*QUIET))
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"http", page)
    assert "http-equiv" not in page


def test_an_empty_history_has_a_page():
    assert "The history has no runs yet" in runs_page.render([])


def test_without_the_extra_the_page_says_so(monkeypatch):
    def missing():
        raise runs_page.exceptions.MissingExtra("not installed")

    monkeypatch.setattr(change_points, "_import_otava", missing)
    page = runs_page.render(nights(*QUIET, 13.0, 13.0, 13.0))
    assert "Change points are not marked" in page
    assert "30% worse, 13 s after 10 s" in page


class Ids(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name == "id"]


def test_drawings_bear_standing_side_by_side():
    runs = nights(*QUIET)
    both = (METRIC, dataclasses.replace(METRIC, bound_key="other"))
    runs = [dataclasses.replace(one, metrics=both) for one in runs]
    ids = Ids()
    ids.feed(runs_page.render(runs))
    assert len(ids.found) == len(set(ids.found))


def test_a_drawing_has_words_and_the_colours_of_the_page():
    figure, axes = drawing.new(100)
    axes.plot([1, 2], [3, 4], color=drawing.COLOUR["blue"])
    drawn = drawing.svg(figure, "d1", "Title <1>", "Words & more")
    assert '<title id="d1-t">Title &lt;1&gt;</title>' in drawn
    assert '<desc id="d1-d">Words &amp; more</desc>' in drawn
    assert 'viewBox="0 0 1080 100" role="img"' in drawn
    assert "stroke: var(--blue)" in drawn
    assert not re.search("#0101", drawn)
    for part in ("<metadata", "<style", "font-family"):
        assert part not in drawn


@pytest.mark.parametrize("count", [0, 1, 6])
def test_few_runs_are_drawn(count):
    assert runs_page.render(nights(*QUIET[:count]))


ERRORS = dataclasses.replace(
    METRIC,
    criterion="request_errors",
    bound_key="max_ratio",
    unit="ratio",
    resolution=0.0,
)


@pytest.mark.parametrize(
    ("at_least", "side", "colour"),
    [(False, "worse", "bad"), (True, "better", "good")],
)
def test_a_change_from_zero_has_a_side_and_no_share(at_least, side, colour):
    runs = [
        test_storage.nightly(
            number,
            metrics=(
                dataclasses.replace(ERRORS, value=value, at_least=at_least),
            ),
        )
        for number, value in enumerate([0.0] * 10 + [0.3] * 10, 1)
    ]
    page = runs_page.render(runs)
    said = f"{side}, from 0, since 1970-01-12 00:00: 0.3 after 0</li>"
    assert said in page
    assert "0.0%" not in page
    (drawn,) = re.findall("<svg.*?</svg>", page, re.DOTALL)
    assert f"var(--{colour})" in drawn


def test_a_run_that_broke_is_not_taken_for_the_one_that_was_compared():
    runs = nights(*QUIET, 13.0, 13.1, 12.9)
    runs[-1] = dataclasses.replace(runs[-1], state="broken", metrics=())
    page = runs_page.render(runs)
    assert "The newest run, of 1970-01-14 00:00, broken" in page
    assert (
        "<strong>The run of 1970-01-13 00:00, the newest that can be "
        "compared, against previous runs:</strong>"
    ) in page
    assert "<strong>Compared with previous runs:</strong>" in runs_page.render(
        nights(*QUIET, 13.0)
    )


def test_what_is_only_learning_or_not_compared_is_no_pass():
    def banner(runs):
        (found,) = re.findall(
            r'<div class="banner ?([a-z]*)"><strong>', runs_page.render(runs)
        )
        return found

    assert banner(nights(*QUIET)) == "pass"
    assert banner(nights(*QUIET[:6])) == ""
    assert "Learning (4 of 5 runs)" in runs_page.render(nights(*QUIET[:6]))
    assert banner(nights(*QUIET, 13.0, 13.0)) == "fail"
    for state in ("broken", "invalid"):
        runs = nights(*QUIET)
        runs[-1] = dataclasses.replace(runs[-1], state=state)
        assert banner(runs) == "warn"
        assert banner(runs[-1:]) == "warn"


def test_a_run_that_is_invalid_is_marked_though_its_metric_counts():
    runs = nights(*QUIET)
    runs[4] = dataclasses.replace(runs[4], state="invalid")
    page = runs_page.render(runs)
    assert "9 runs, from" in page
    assert ">the run is invalid</td>" in page
