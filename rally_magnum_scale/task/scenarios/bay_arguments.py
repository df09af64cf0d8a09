"""The arguments of a bay: one to make, or one that is there."""

from __future__ import annotations

import dataclasses

from typing_extensions import TypedDict

from rally_magnum_scale.bays import deadlines as bay_deadlines
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.task.scenarios import bounded
from rally_magnum_scale.task.scenarios import signature


@signature.closed
class BayDeadlines(TypedDict, total=False):
    """How long the parts of a bay's life may take."""

    create_s: bounded.Seconds
    nodes_ready_s: bounded.Seconds
    delete_s: bounded.Seconds


@dataclasses.dataclass(frozen=True)
class BayArguments:
    """The bay that a scenario makes.

    :param nodes: number of nodes, masters not counted
    :param bay_template: the name of a template that the context
        ``bay_templates`` makes, or name or id of a cluster template; when
        it is left out, the only Kubernetes template that the cloud shows
    :param masters: number of masters (default 1)
    :param keypair: name of a Nova keypair, if the template has none
    :param network: name or id of the Neutron network of the nodes, if not
        the template's
    :param subnet: name or id of a subnet of that network
    :param flavor: of the nodes, if not the template's
    :param master_flavor: of the masters, if not the template's
    :param labels: cluster labels, merged over those of the template
    :param deadlines: ``create_s``, from the request to CREATE_COMPLETE,
        ``nodes_ready_s``, from then to the last node Ready, and
        ``delete_s``; by default they grow with the nodes
    :param keep_bay: leave the bay when the run is over, and write
        ``<name of the bay>.kubeconfig`` into the current folder; needs
        existing users (default false)
    """

    nodes: bounded.Count
    bay_template: bounded.Name | None = None
    masters: bounded.Count = 1
    keypair: bounded.Name | None = None
    network: bounded.Name | None = None
    subnet: bounded.Name | None = None
    flavor: bounded.Name | None = None
    master_flavor: bounded.Name | None = None
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    deadlines: BayDeadlines = dataclasses.field(
        default_factory=lambda: BayDeadlines()
    )
    keep_bay: bool = False

    def request(self, name: str, template: str | None) -> lifecycle.BayRequest:
        """Return what is asked of Magnum.

        :param name: of the bay
        :param template: name or id of a cluster template, None for the
            only one
        """
        return lifecycle.BayRequest(
            name=name,
            nodes=self.nodes,
            template=template,
            masters=self.masters,
            keypair=self.keypair,
            labels=self.labels,
            network=self.network,
            subnet=self.subnet,
            flavor=self.flavor,
            master_flavor=self.master_flavor,
            deadlines=bay_deadlines.Deadlines(**self.deadlines),
        )


@dataclasses.dataclass(frozen=True)
class WhichBay:
    """A bay that is there already: one of the context ``bays`` by default.

    :param bay: name or id of a bay that the user sees in Magnum
    :param bay_role: the bays of the context ``bays`` whose entry has this
        ``name``; by default all take turns
    :param kubeconfig: path, where Rally runs, of a kubeconfig: no OpenStack
        is needed then
    :param kubeconfig_context: name of one of its contexts, by default the
        current one
    """

    bay: bounded.Name | None = None
    bay_role: bounded.Name | None = None
    kubeconfig: bounded.Name | None = None
    kubeconfig_context: bounded.Name | None = None
