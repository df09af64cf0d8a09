"""Arguments of the scenarios that change the nodes of a bay."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated

from rally.task.scenario import Field
from typing_extensions import TypedDict

from rally_magnum_scale.task.scenarios import signature


@signature.closed
class ResizeDeadlineArguments(TypedDict, total=False):
    resize_s: signature.Seconds
    settle_s: signature.Seconds


@signature.closed
class ReplaceDeadlines(ResizeDeadlineArguments, total=False):
    drain_s: signature.Seconds


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResizeArguments:
    """The sizes to which a bay is resized.

    :param sizes: numbers of nodes, one after the other; each must differ
        from the one before, the first from ``nodes``
    :param nodegroup: name or id of the node group to resize, by default
        the group of the default workers; requires microversion 1.9
    :param deadlines: ``resize_s``, from each resize request to
        UPDATE_COMPLETE, and ``settle_s``, from then until every new node is
        Ready and every removed node is gone; by default they grow with the
        number of added or removed nodes
    """

    sizes: list[signature.Count]
    nodegroup: signature.Name | None = None
    deadlines: ResizeDeadlineArguments = dataclasses.field(
        default_factory=lambda: ResizeDeadlineArguments()
    )

    def check(self, nodes: int) -> None:
        """Check that each size is a change.

        :param nodes: number of nodes of the bay at first
        :raises ValueError: when a size equals the one before
        """
        if not self.sizes:
            raise ValueError(
                "sizes: there must be at least one number of nodes"
            )
        before = nodes
        for number, size in enumerate(self.sizes):
            if size == before:
                raise ValueError(
                    f"sizes[{number}]: the bay has {before} nodes already, "
                    "and each size must differ from the one before"
                )
            before = size


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplaceArguments:
    """The nodes to replace.

    :param count: number of nodes, spread evenly over the sorted names
    :param share: number of nodes as a share of all nodes, rounded up; give
        exactly one of ``count`` and ``share``
    :param batch: number of nodes that are replaced together (default: all)
    :param drain: cordon the nodes and evict their pods first, as far as
        PodDisruptionBudgets allow (default true)
    :param deadlines: for each batch: ``drain_s``, until the nodes are
        empty, ``resize_s``, from the request to UPDATE_COMPLETE, and
        ``settle_s``, from then until every new node is Ready and every
        removed node is gone; by default they grow with the number of nodes
    """

    count: signature.Count | None = None
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    batch: signature.Count | None = None
    drain: bool = True
    deadlines: ReplaceDeadlines = dataclasses.field(
        default_factory=lambda: ReplaceDeadlines()
    )

    def number(self, nodes: int) -> int:
        """Return the number of nodes to replace.

        :param nodes: number of nodes of the bay
        :raises ValueError: when the arguments do not give a number, or the
            bay has fewer nodes
        """
        if (self.count is None) == (self.share is None):
            raise ValueError("give exactly one of count and share")
        # Rounding errors must not turn 7 % of 100 into 8.
        of_share = math.ceil(round(nodes * (self.share or 0), 9))
        number = self.count or of_share
        if number > nodes:
            raise ValueError(
                f"count: {number} nodes can't be replaced in a bay of {nodes}"
            )
        return number
