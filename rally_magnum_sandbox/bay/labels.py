"""The cluster labels that the sandbox's driver supports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import spec

PREFIX = "sandbox_"
TRUTHS = {"true": True, "false": False}


@dataclasses.dataclass(frozen=True)
class BayLabels:
    """The values of the labels; the driver's docstring explains them.

    If ``real_nodes`` exceeds the bay's number of nodes, all nodes are real.
    """

    real_nodes: int = 1
    fail_create: str = ""
    fail_resize: str = ""
    fail_delete: str = ""
    hang_create: bool = False
    hang_delete: bool = False
    ignore_nodes_to_remove: bool = False
    unready_nodes: int = 0
    node_grace_s: int = spec.NODE_GRACE_S


KNOWN = [f"{PREFIX}{f.name}" for f in dataclasses.fields(BayLabels)]


def read(labels: Mapping[str, str], node_count: int) -> BayLabels:
    """Read and check the labels of a new bay.

    :param labels: of the cluster; labels without our prefix are ignored
    :param node_count: number of nodes of the bay, which limits the unready
        nodes
    :raises SandboxError: if a value is invalid or one of our labels is
        misspelt; the message names the label
    """
    for name in labels:
        if name.startswith(PREFIX) and name not in KNOWN:
            raise exceptions.SandboxError(
                f"The label {name} is unknown. The sandbox supports "
                f"{', '.join(KNOWN)}."
            )
    real_nodes = _number(labels, "real_nodes", 1, spec.MAX_REAL_NODES)
    hollow_nodes = max(0, node_count - real_nodes)
    return BayLabels(
        real_nodes=real_nodes,
        fail_create=_text(labels, "fail_create"),
        fail_resize=_text(labels, "fail_resize"),
        fail_delete=_text(labels, "fail_delete"),
        hang_create=_truth(labels, "hang_create"),
        hang_delete=_truth(labels, "hang_delete"),
        ignore_nodes_to_remove=_truth(labels, "ignore_nodes_to_remove"),
        unready_nodes=_number(labels, "unready_nodes", 0, hollow_nodes),
        node_grace_s=_number(
            labels,
            "node_grace_s",
            spec.NODE_GRACE_S,
            600,
            least=spec.LEAST_NODE_GRACE_S,
        ),
    )


def _number(
    labels: Mapping[str, str],
    name: str,
    default: int,
    most: int,
    least: int = 0,
) -> int:
    text = labels.get(f"{PREFIX}{name}", str(default))
    if not (text.isdecimal() and least <= int(text) <= most):
        raise _wrong(name, text, f"a whole number, {least} to {most}")
    return int(text)


def _truth(labels: Mapping[str, str], name: str) -> bool:
    text = labels.get(f"{PREFIX}{name}", "false")
    if text not in TRUTHS:
        raise _wrong(name, text, "true or false")
    return TRUTHS[text]


def _text(labels: Mapping[str, str], name: str) -> str:
    text = labels.get(f"{PREFIX}{name}")
    if text is not None and not text.strip():
        raise _wrong(name, text, "the reason to fail with")
    return text or ""


def _wrong(name: str, text: str, right: str) -> exceptions.SandboxError:
    return exceptions.SandboxError(
        f"The label {PREFIX}{name} is {text!r}; it must be {right}."
    )
