"""Convert Kubernetes' CPU quantities."""

from __future__ import annotations

from kubernetes.utils import quantity


def cores(text: str) -> float:
    """Return a CPU quantity such as ``500m`` or ``4`` in cores.

    :raises ValueError: when the text is not a quantity
    """
    return float(quantity.parse_quantity(text))
