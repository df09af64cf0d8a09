"""The arguments of changes to the nodes of a bay."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated

from rally.task.scenario import Field
from typing_extensions import TypedDict

from rally_magnum_scale.task.scenarios import bounded
from rally_magnum_scale.task.scenarios import signature


@signature.closed
class ResizeDeadlines(TypedDict, total=False):
    """How long the parts of a resize may take."""

    resize_s: bounded.Seconds
    settle_s: bounded.Seconds


@signature.closed
class ReplaceDeadlines(ResizeDeadlines, total=False):
    """How long the parts of a replacement may take."""

    drain_s: bounded.Seconds


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResizeArguments:
    """The sizes that a bay is brought to.

    :param sizes: numbers of nodes, one after the other; each must differ
        from the one before, the first from ``nodes``
    :param nodegroup: name or id of the node group that gets these sizes, by
        default that of the default workers; needs microversion 1.9
    :param deadlines: ``resize_s``, from each resize request to
        UPDATE_COMPLETE, and ``settle_s``, from then until every new node is
        Ready and every old one gone; by default they grow with the nodes
        that come or go
    """

    sizes: list[bounded.Count]
    nodegroup: bounded.Name | None = None
    deadlines: ResizeDeadlines = dataclasses.field(
        default_factory=lambda: ResizeDeadlines()
    )

    def check(self, nodes: int) -> None:
        """Check what a type can't.

        :param nodes: of the bay at first
        :raises ValueError: when the sizes are no changes
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
    """The nodes that are replaced by new ones.

    :param count: how many nodes, spread evenly over the list by name
    :param share: the same as a share of all nodes, rounded up; exactly one
        of the two is given
    :param batch: how many at once, one batch after the other (default: all)
    :param drain: cordon the nodes and evict their pods first, as far as
        PodDisruptionBudgets allow (default true)
    :param deadlines: of each batch: ``drain_s``, until the nodes are empty,
        ``resize_s``, from the request to UPDATE_COMPLETE, and ``settle_s``,
        from then until every new node is Ready and every old one gone; by
        default they grow with the nodes
    """

    count: bounded.Count | None = None
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    batch: bounded.Count | None = None
    drain: bool = True
    deadlines: ReplaceDeadlines = dataclasses.field(
        default_factory=lambda: ReplaceDeadlines()
    )

    def number(self, nodes: int) -> int:
        """Return how many nodes are replaced.

        :param nodes: that the bay has
        :raises ValueError: when that can't be told, or not be done
        """
        if (self.count is None) == (self.share is None):
            raise ValueError("give exactly one of count and share")
        # 7 % of 100 is 7, and not a little more.
        of_share = math.ceil(round(nodes * (self.share or 0), 9))
        number = self.count or of_share
        if number > nodes:
            raise ValueError(
                f"count: {number} nodes can't be replaced in a bay of {nodes}"
            )
        return number
