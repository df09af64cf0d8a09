"""The synthetic series, and the plot that is made of what they gave."""

import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess

import pytest

from benchmarks import regression
from benchmarks import regression_plot
from benchmarks import synthetic_series

CHECKOUT = pathlib.Path(__file__).parents[3]
KINDS = {kind.name: kind for kind in synthetic_series.KINDS}


def values(name, runs=2000, noise_ratio=0.03):
    rng = random.Random(name)
    made = synthetic_series.make(KINDS[name], runs, noise_ratio, rng)
    return [point.value for point in made.points]


def test_a_quiet_series_has_its_level_and_its_noise():
    found = values("nothing changed")
    assert statistics.mean(found) == pytest.approx(100, rel=0.01)
    assert statistics.stdev(found) == pytest.approx(3, rel=0.1)


def test_noise_that_wanders_is_as_large_but_not_independent():
    found = values("nothing changed, noise that wanders")
    assert statistics.stdev(found) == pytest.approx(3, rel=0.15)
    assert statistics.correlation(found, found[1:] + found[:1]) > 0.6


def test_a_step_lies_where_it_should():
    found = values("step of 10%, 5 runs ago", noise_ratio=1e-6)
    assert found[-6] == pytest.approx(100, rel=1e-3)
    assert found[-5] == pytest.approx(110, rel=1e-3)


def alarms(name, noise_ratio, runs=20):
    rng = random.Random(7)
    kind = KINDS[name]
    series = [
        synthetic_series.make(kind, runs, noise_ratio, rng) for _ in range(60)
    ]
    return sum(map(regression.alarms, series)) / len(series)


def test_noise_is_seldom_taken_for_worse_and_steps_are_found():
    assert alarms("nothing changed", 0.03) <= 0.05
    assert alarms("nothing changed, 5% of the runs 30% astray", 0.03) <= 0.05
    assert alarms("step of 10%, 5 runs ago", 0.01) >= 0.95
    assert alarms("step of 5%, 2 runs ago", 0.01) >= 0.6


def line(kind, noise_ratio, runs):
    figures = {
        "kind": kind,
        "noise_ratio": noise_ratio,
        "runs": runs,
        "alarms_ratio": 0.005,
        "suspects_ratio": 0.1,
        "otava_alarms_ratio": 1.0,
    }
    return json.dumps({"figures": figures})


def test_the_plot_has_a_panel_for_each_noise_and_a_row_for_each_kind():
    lines = [
        line(kind, noise_ratio, runs)
        for kind in ("quiet", "step")
        for noise_ratio in (0.01, 0.05)
        for runs in (10, 20)
    ]
    panels = regression_plot.draw(lines).axes
    assert [one.get_title() for one in panels] == ["noise 1%", "noise 5%"]
    labels = [one.get_text() for one in panels[0].get_yticklabels()]
    assert labels == ["quiet", "step"]
    ours, otava = (list(one.get_xdata()) for one in panels[0].lines[::2])
    assert (ours, otava) == ([0.5, 0.5], [100.0, 100.0])


def test_a_missing_cell_is_no_plot():
    lines = [line("quiet", 0.01, 10), line("step", 0.01, 20)]
    with pytest.raises(KeyError):
        regression_plot.draw(lines)


def test_make_prints_the_lines_of_a_benchmark_and_nothing_else(tmp_path):
    shutil.copy(CHECKOUT / "Makefile", tmp_path)
    tool = tmp_path / "tools/in-venv"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "{}"\necho "$@" >asked\n')
    tool.chmod(0o755)
    done = subprocess.run(
        ["make", "bench", "BENCH=regression"],
        cwd=tmp_path,
        # A make that runs these tests would have this one tell its folder.
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "{}\n"
    asked = (tmp_path / "asked").read_text()
    assert asked == "tools/run-bench regression\n"
