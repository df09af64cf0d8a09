"""Turn the lines of the benchmark ``regression`` into a table of the docs.

``make bench BENCH=regression | python3 -m benchmarks.regression_table``
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any


def table(lines: Iterable[str]) -> str:
    """Return a table in Markdown: alarms, suspicions, Otava's alarms.

    :param lines: of JSON, as the benchmark prints them
    """
    cells: dict[str, dict[tuple[float, int], str]] = {}
    for line in lines:
        figures = json.loads(line)["figures"]
        column = (figures["noise_ratio"], figures["runs"])
        cells.setdefault(figures["kind"], {})[column] = _cell(figures)
    columns = sorted({column for row in cells.values() for column in row})
    heads = [f"{noise:.0%}, {runs} runs" for noise, runs in columns]
    return "\n".join(
        [
            _row("in %", *heads),
            _row(*["---"] * (len(heads) + 1)),
            *(
                _row(kind, *(row.get(column, "") for column in columns))
                for kind, row in cells.items()
            ),
        ]
    )


def _cell(figures: dict[str, Any]) -> str:
    names = ("alarms_ratio", "suspects_ratio", "otava_alarms_ratio")
    return ", ".join(f"{figures[name] * 100:.3g}" for name in names)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(table(sys.stdin) + "\n")
