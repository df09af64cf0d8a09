"""How long a bay takes to come and to go."""

from __future__ import annotations

from typing import Annotated

from rally.task.scenario import Field

from rally_magnum_scale.task.scenarios import base


@base.configure("create_and_delete_bay")
class CreateAndDeleteBay(base.BayScenario):
    """Create a bay, wait until every node is Ready, and delete it."""

    def run(
        self,
        nodes: Annotated[int, Field(ge=1)],
        bay_template: str | None = None,
        masters: Annotated[int, Field(ge=1)] = 1,
        keypair: str | None = None,
        labels: dict[str, str] | None = None,
    ) -> None:
        """Create a bay, wait until every node is Ready, and delete it.

        :param nodes: number of nodes, masters not counted
        :param bay_template: name or id of a cluster template; when it is
            left out, the only Kubernetes template that the cloud shows
        :param masters: number of masters
        :param keypair: name of a Nova keypair, if the template has none
        :param labels: cluster labels, merged over those of the template
        """
        with self.bay(
            nodes,
            template=bay_template,
            masters=masters,
            keypair=keypair,
            labels=labels or {},
        ):
            pass
