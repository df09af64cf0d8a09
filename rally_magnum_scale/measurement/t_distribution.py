"""Student's t distribution, which the standard library lacks."""

from __future__ import annotations

import math


def upper_tail(t: float, freedom: int) -> float:
    """Return how likely a value of t or above is.

    By the finite series for whole degrees of freedom: Abramowitz and
    Stegun, Handbook of Mathematical Functions (1964), 26.7.3 and 26.7.4.

    :param freedom: degrees of freedom, at least 1
    """
    angle = math.atan(t / math.sqrt(freedom))
    cos, odd = math.cos(angle), freedom % 2
    term = cos if odd else 1.0
    total = 0.0
    for step in range(1 + odd, freedom, 2):
        total += term
        term *= cos * cos * step / (step + 1)
    within = math.sin(angle) * total
    if odd:
        within = (angle + within) * 2 / math.pi
    return min(1.0, max(0.0, (1 - within) / 2))
