"""Arguments that describe a new bay or select an existing bay."""

from __future__ import annotations

import dataclasses

from typing_extensions import TypedDict

from rally_magnum_scale.bays import deadlines as bay_deadlines
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.task.scenarios import signature


@signature.closed
class BayDeadlines(TypedDict, total=False):
    create_s: signature.Seconds
    nodes_ready_s: signature.Seconds
    delete_s: signature.Seconds


@dataclasses.dataclass(frozen=True)
class BayArguments:
    """The bay that a scenario creates.

    :param nodes: number of nodes, without the masters
    :param bay_template: name of a template that the context
        ``bay_templates`` creates, or name or id of a cluster template; by
        default the only Kubernetes template that the cloud shows
    :param masters: number of masters (default 1)
    :param keypair: name of a Nova keypair; required if the template has none
    :param network: name or id of the Neutron network of the nodes; by
        default that of the template
    :param subnet: name or id of a subnet of that network
    :param flavor: flavor of the nodes; by default that of the template
    :param master_flavor: flavor of the masters; by default that of the
        template
    :param labels: cluster labels, merged over those of the template
    :param deadlines: ``create_s``, from the request to CREATE_COMPLETE,
        ``nodes_ready_s``, from then to the last node Ready, and
        ``delete_s``; by default they grow with the nodes
    :param keep_bay: keep the bay after the run, and write
        ``<name of the bay>.kubeconfig`` into the current folder; requires
        existing users (default false)
    """

    nodes: signature.Count
    bay_template: signature.Name | None = None
    masters: signature.Count = 1
    keypair: signature.Name | None = None
    network: signature.Name | None = None
    subnet: signature.Name | None = None
    flavor: signature.Name | None = None
    master_flavor: signature.Name | None = None
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    deadlines: BayDeadlines = dataclasses.field(
        default_factory=lambda: BayDeadlines()
    )
    keep_bay: bool = False

    def request(self, name: str, template: str | None) -> lifecycle.BayRequest:
        """Return the request to create the bay.

        :param name: name of the bay
        :param template: name or id of a cluster template; None for the
            only one that Magnum shows
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
class BaySelection:
    """An existing bay: by default one of the context ``bays``.

    :param bay: name or id of a bay that the user sees in Magnum
    :param bay_role: use only the bays of the context ``bays`` whose entry
        has this ``name``; by default the iterations use all bays in turn
    :param kubeconfig: path of a kubeconfig on the machine where Rally runs;
        no OpenStack is needed then
    :param kubeconfig_context: name of a context of the kubeconfig, by
        default its current context
    """

    bay: signature.Name | None = None
    bay_role: signature.Name | None = None
    kubeconfig: signature.Name | None = None
    kubeconfig_context: signature.Name | None = None
