"""What was done when, as bars."""

from rally_magnum_scale.report import model
from rally_magnum_scale.report import timeline


def action(name, start, end, failed=False):
    return model.AtomicAction(name, 1e9 + start, 1e9 + end, failed)


def test_bars_are_told_in_words_and_drawn():
    drawn = timeline.draw(
        [
            action("magnum.delete_bay", 30, 32.5, failed=True),
            action("magnum.create_bay", 0, 10),
            action("workload.run", 10, 30),
        ],
        "t",
    )
    assert (
        "magnum.create_bay after 0 s for 10 s; workload.run after 10 s for "
        "20 s; magnum.delete_bay after 30 s for 2.5 s, failed."
    ) in drawn
    for text in (">workload.run<", ">20 s<", "2.5 s ✘"):
        assert text in drawn
    assert drawn.count("var(--bad)") >= 1


def test_what_took_no_time_is_drawn():
    assert ">0 s<" in timeline.draw([action("one", 0, 0)], "t")
