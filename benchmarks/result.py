"""What a benchmark yields."""

from __future__ import annotations

import json
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """One comparison.

    :param bench: name of the benchmark
    :param subject: what of ours was measured
    :param peer: what it was compared with
    :param ratio: how much better ours is: above 1 is better
    :param figures: what the ratio was made of
    """

    bench: str
    subject: str
    peer: str
    ratio: float
    figures: dict[str, Any]

    def line(self) -> str:
        """Return the result as a line of JSON."""
        values = {**asdict(self), "ratio": round(self.ratio, 3)}
        return json.dumps(values) + "\n"


@dataclass(frozen=True)
class LeftOut:
    """A peer that could not be compared with.

    :param bench: name of the benchmark
    :param peer: what is missing
    :param left_out: why
    """

    bench: str
    peer: str
    left_out: str

    def line(self) -> str:
        """Return the gap as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"
