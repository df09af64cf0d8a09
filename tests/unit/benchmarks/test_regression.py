"""The synthetic series, and the table that is made of what they gave."""

import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess

import pytest

from benchmarks import regression
from benchmarks import regression_table
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


def test_the_table_has_a_row_for_each_kind_and_a_column_for_each_length():
    lines = [
        json.dumps(
            {
                "figures": {
                    "kind": kind,
                    "noise_ratio": 0.01,
                    "runs": runs,
                    "alarms_ratio": 0.005,
                    "suspects_ratio": 0.1,
                    "otava_alarms_ratio": 1.0,
                }
            }
        )
        for kind in ("quiet", "step")
        for runs in (10, 20)
    ]
    assert regression_table.table(lines).splitlines() == [
        "| in % | 1%, 10 runs | 1%, 20 runs |",
        "| --- | --- | --- |",
        "| quiet | 0.5, 10, 100 | 0.5, 10, 100 |",
        "| step | 0.5, 10, 100 | 0.5, 10, 100 |",
    ]


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
