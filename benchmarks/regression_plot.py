"""Draw the lines of the benchmark ``regression`` for the docs.

``make -s bench BENCH=regression > regression.jsonl`` runs the benchmark, and
``python3 -m benchmarks.regression_plot regression.jsonl regression.svg`` draws
its output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import figure

SERIES = (
    ("alarms_ratio", "no_regression", "#0b5fa5", "o", -0.15),
    ("otava_alarms_ratio", "Apache Otava", "#b3541e", "s", 0.15),
)


def draw(lines: Iterable[str]) -> figure.Figure:
    """Return one panel for each noise, one row for each kind of series.

    A line spans the results with the fewest and the most runs; a mark stands
    for each number of runs, the larger the more runs.

    :param lines: of JSON, as the benchmark prints them
    """
    found = [json.loads(line)["figures"] for line in lines if line.strip()]
    noises = sorted({each["noise_ratio"] for each in found})
    kinds = list(dict.fromkeys(each["kind"] for each in found))
    drawn = figure.Figure(figsize=(9, 4.6), layout="constrained")
    panels = drawn.subplots(1, len(noises), sharey=True, squeeze=False)[0]
    for panel, noise in zip(panels, noises, strict=True):
        _draw_panel(
            panel, kinds, [x for x in found if x["noise_ratio"] == noise]
        )
        panel.set_title(f"noise {noise:.0%}", fontsize=10)
    panels[0].set_yticks(range(len(kinds)), kinds)
    panels[0].invert_yaxis()
    drawn.supxlabel("series called worse, in %", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=2)
    return drawn


def _draw_panel(
    panel: Any, kinds: list[str], found: list[dict[str, Any]]
) -> None:
    runs = sorted({each["runs"] for each in found})
    for name, label, color, marker, shift in SERIES:
        for row, kind in enumerate(kinds):
            percent = {
                each["runs"]: 100 * each[name]
                for each in found
                if each["kind"] == kind
            }
            values = [percent[number] for number in runs]
            y = row + shift
            panel.plot(values, [y] * len(values), color=color, linewidth=1)
            for size, value in zip((12, 26, 46), values, strict=False):
                panel.scatter(value, y, s=size, color=color, marker=marker)
        panel.scatter([], [], s=26, color=color, marker=marker, label=label)
    panel.set_xlim(-4, 104)
    panel.grid(axis="x", color="#dddddd")
    panel.set_axisbelow(True)


if __name__ == "__main__":
    mpl.rcParams["svg.hashsalt"] = "regression"
    # Text stays text: small, and readable for screen readers.
    mpl.rcParams["svg.fonttype"] = "none"
    source, target = map(Path, sys.argv[1:])
    draw(source.read_text().splitlines()).savefig(
        target, format="svg", metadata={"Date": None}
    )
