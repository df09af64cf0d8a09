"""Scales of drawings, and drawings as parts of a page."""

import re

import pytest

from rally_magnum_scale.report import drawing


def axes_of(*values):
    figure, axes = drawing.new()
    axes.plot(range(len(values)), values)
    return figure, axes


def texts(figure):
    drawn = drawing.svg(figure, "d", "t", "d")
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawn)


@pytest.mark.parametrize("values", [(), (0.0, 0.0), (5.0,), (19_900.0,)])
def test_a_rate_begins_at_zero_and_has_room(values):
    figure, axes = axes_of(*values)
    drawing.rate_scale(axes)
    low, high = axes.get_ylim()
    assert low == 0
    assert high > max(values, default=0)
    assert "requests per second" in texts(figure)


def test_thousands_are_written_short():
    figure, axes = axes_of(0, 2_000_000)
    drawing.rate_scale(axes)
    assert {"0", "1M", "2M"} <= set(texts(figure))


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [
        ((), False),
        ((0.0,), False),
        ((1.0, 15.0), False),
        ((0.4, 0.9, 1500.0), True),
        ((0.001, 60_000.0), True),
    ],
)
def test_a_latency_is_logarithmic_only_when_it_must_be(values, logarithmic):
    figure, axes = axes_of(*values)
    drawing.latency_scale(axes, values)
    assert (axes.get_yscale() == "log") is logarithmic
    found = texts(figure)
    assert ("latency in ms, logarithmic" in found) is logarithmic
    if not logarithmic:
        assert axes.get_ylim()[0] == 0
    # Ticks are plain numbers, and neither too many nor too few.
    ticks = [t for t in found if re.fullmatch(r"[\d,.]+", t)]
    assert 3 <= len(ticks) <= 40
    if max(values, default=0) == 1500:
        assert {"1", "10", "1,000"} <= set(ticks)


def test_a_share_ends_with_all():
    figure, axes = axes_of(10, 60)
    drawing.share_scale(axes)
    assert {"0 %", "50 %", "100 %"} <= set(texts(figure))


def test_text_is_left_as_it_is_and_paths_are_short():
    figure, axes = axes_of(1 / 3, 2 / 3)
    drawing.write(axes, 0.5, 1.01, "99.999 %")
    assert "99.999 %" in texts(figure)
    drawn = drawing.svg(figure, "d", "t", "d")
    for data in re.findall(r' d="([^"]*)"', drawn):
        assert not re.search(r"\.\d{3}", data)
