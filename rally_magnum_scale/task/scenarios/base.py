"""Base classes of the scenarios: records, a bay, a load."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import ClassVar
from typing import TypeVar

from rally.common import logging
from rally.common import validation
from rally.task import atomic
from rally_openstack.common import consts
from rally_openstack.task import scenario

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import credentials
from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import json_record
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.report import charts
from rally_magnum_scale.runs import api_watch
from rally_magnum_scale.runs import bay_life
from rally_magnum_scale.runs import fault_injectors
from rally_magnum_scale.runs import load as loads
from rally_magnum_scale.runs import node_change
from rally_magnum_scale.runs import removal
from rally_magnum_scale.task import clients
from rally_magnum_scale.task import output
from rally_magnum_scale.task.contexts import bay_templates
from rally_magnum_scale.task.contexts import setting
from rally_magnum_scale.task.recovery import cleanup
from rally_magnum_scale.task.recovery import dead_loads
from rally_magnum_scale.task.recovery import lost_machines
from rally_magnum_scale.task.recovery import run_markers
from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import node_arguments
from rally_magnum_scale.task.scenarios import workload_arguments
from rally_magnum_scale.workload import load_spec

LOG = logging.getLogger(__name__)

S = TypeVar("S", bound="type[Scenario]")
T = TypeVar("T")


def configure(name: str, *validators: str) -> Callable[[S], S]:
    """Register a scenario with the contexts and validators that all need.

    :param name: name of the scenario, after ``MagnumScale.``
    :param validators: names of the validators for its arguments
    """
    register = scenario.configure(
        name=f"MagnumScale.{name}",
        context={
            "cleanup@openstack": [cleanup.SERVICE],
            "interruption@openstack": {},
            "leftovers@openstack": {},
            "setting@openstack": {},
        },
    )

    def decorate(cls: S) -> S:
        configured: S = register(cls)
        for validator in ("magnum_scale_nested_keys", *validators):
            configured = validation.add(validator)(configured)
        return configured

    return decorate


def configure_new_bay(name: str, *validators: str) -> Callable[[S], S]:
    """Register a scenario that creates a bay in OpenStack.

    The parameters are those of :func:`configure`.
    """
    register = configure(
        name, "magnum_scale_bay_quotas", "magnum_scale_keep_bay", *validators
    )
    magnum = validation.add(
        "required_services", services=[consts.Service.MAGNUM]
    )
    platform = validation.add(
        "required_platform", platform="openstack", users=True
    )

    def decorate(cls: S) -> S:
        configured: S = platform(magnum(register(cls)))
        return configured

    return decorate


class Scenario(scenario.OpenStackScenario):
    """A scenario that writes records even if it fails."""

    given: Mapping[str, Any]

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """Run an iteration and write its output, even if it fails."""
        interruption.refuse_to_start()
        self._records: list[dict[str, Any]] = []
        with (
            # The runner must see the interruption before it can start
            # another iteration.
            removal.after(interruption.wait_acknowledged, LOG.error),
            removal.after(self._write_output, LOG.error),
        ):
            conditions_of_run = conditions.record(
                self._cloud(),
                self.get_name(),
                self.given,
                **self.context.get(setting.KEY, {}),
            )
            self._keep_one("conditions", "", conditions_of_run)
            yield

    def _cloud(self) -> str:
        """Identify the cloud, or the cluster that a kubeconfig opens."""
        if path := self.given.get("kubeconfig"):
            return client.address(path, self.given.get("kubeconfig_context"))
        user = self.context.get("user")
        return clients.address(user["credential"]) if user else ""

    def keep_record(self, record: bay_records.Bay) -> None:
        self._keep_one("bay", record.name, record)

    def _keep_one(
        self, kind: str, bay: str, record: json_record.JsonRecord
    ) -> None:
        """Keep a record for Rally's output, which is written at the end."""
        body = record.to_json()
        self._records.append(self._source(bay).envelope(kind, body))

    def _source(self, bay: str) -> records.Source:
        task, iteration = self.context["task"], self.context["iteration"]
        return records.Source(task["uuid"], iteration, bay)

    @contextlib.contextmanager
    def api_timed(
        self, bay: str, cluster: client.KubeClient
    ) -> Iterator[None]:
        """Record the latency of a bay's API server during the block."""
        watch = api_watch.ApiWatch(cluster, LOG.info)
        with removal.after(
            lambda: self._keep_one("api_latency", bay, watch.conclude()),
            LOG.error,
        ):
            yield

    def run_load(
        self,
        load: workload_arguments.WorkloadArguments,
        bay: str,
        cluster: client.KubeClient,
        nodes: Sequence[node_list.Node],
        *,
        bay_stays: bool,
        sign: Callable[[str], credentials.ServerCertificate] | None,
        injector: Callable[
            [client.KubeClient, str], fault_injectors.FaultInjector
        ]
        | None = None,
    ) -> None:
        """Run a load in an open bay.

        :param bay_stays: whether the load must be removed; otherwise it is
            deleted with the bay
        :param sign: signs a certificate for a server in the bay
        :param injector: creates the fault injector from the bay's API and
            the load's namespace; by default OpenStack injects the faults
        """
        source = self._source(bay)
        spec = load.spec(source)
        if load.tls != workload_arguments.NO_TLS:
            spec = dataclasses.replace(spec, tls=_tls(spec, sign))
        if bay_stays:
            spec = dataclasses.replace(
                spec, run_by=dead_loads.this_run(run_markers.database())
            )
        faults: fault_injectors.FaultInjector | None = None
        if spec.faults and injector:
            faults = injector(cluster, spec.names.namespace)
        elif spec.faults:
            faults = self._servers(noted=bay_stays)
        run = loads.Load(cluster, spec, nodes, LOG.info, faults)
        with contextlib.ExitStack() as stack:
            stack.enter_context(
                removal.after(
                    lambda: self._records.extend(run.all_records()), LOG.error
                )
            )
            if bay_stays:
                stack.enter_context(
                    removal.after(
                        lambda: self._timed("workload.remove", run.remove),
                        LOG.error,
                    )
                )
                # A lost node can't terminate its pods, so the faults are
                # reverted before the load is removed.
                stack.enter_context(removal.after(run.revert, LOG.error))
            if load.pull_ahead:
                self._timed("workload.pull_images", run.pull)
            self._timed("workload.deploy", run.deploy)
            self._timed("workload.run", run.run)

    def _servers(self, *, noted: bool) -> fault_injectors.NovaFaultInjector:
        """Open the servers of the bays.

        :param noted: whether a later start recovers the servers that this
            run does not recover
        """
        mark = self.context.get(lost_machines.KEY) if noted else None
        notes = lost_machines.Notes(Path(mark)) if mark else None
        return fault_injectors.NovaFaultInjector(
            clients.machines_of(self._clients, LOG.info, notes)
        )

    def _timed(self, action: str, work: Callable[[], T]) -> T:
        with atomic.ActionTimer(self, action):
            return work()

    def _write_output(self) -> None:
        try:
            run = records.collect(self._records)
            for drawn in charts.outputs(run):
                self.add_output(complete=drawn)
            for drawn in charts.additive(run):
                self.add_output(additive=drawn)
        finally:
            # Records that can't be drawn must not be lost: the SLA
            # criteria judge them.
            self.add_output(complete=output.records_output(self._records))


class BayScenario(Scenario):
    """A scenario that creates a bay and deletes it, unless it keeps it."""

    RESOURCE_NAME_FORMAT = cleanup.NAME_FORMAT
    RESOURCE_NAME_ALLOWED_CHARACTERS = cleanup.NAME_CHARACTERS
    # What Magnum's driver must be able to do besides bays.
    CAPABILITIES: ClassVar[tuple[str, ...]] = ()

    @contextlib.contextmanager
    def bay(
        self, arguments: bay_arguments.BayArguments
    ) -> Iterator[tuple[bay_life.BayLife, client.KubeClient]]:
        """Create a bay, yield it when all nodes are Ready, and delete it.

        With ``keep_bay``, the bay stays once its nodes are Ready, even if
        the load fails, unless the run is interrupted.
        """
        life = self._life(arguments)
        with (
            removal.after(lambda: self.keep_record(life.record), LOG.error),
            removal.after(lambda: self._end(life), LOG.error),
        ):
            cluster = self._timed("magnum.create_bay", life.create)
            opened = life.connect(cluster)
            with self.api_timed(life.name, opened):
                self._timed(
                    "kubernetes.wait_for_nodes",
                    lambda: life.wait_for_nodes(opened),
                )
                if arguments.keep_bay:
                    life.keep(Path.cwd())
                yield life, opened

    def run_load_in_own(
        self,
        bay: bay_arguments.BayArguments,
        load: workload_arguments.WorkloadArguments,
    ) -> None:
        """Create a bay, run a load in it, and delete it."""
        with self.recorded(), self.bay(bay) as (life, cluster):
            self.run_load(
                load,
                life.name,
                cluster,
                life.nodes,
                bay_stays=bay.keep_bay,
                sign=life.sign,
            )

    def resize(
        self,
        life: bay_life.BayLife,
        cluster: client.KubeClient,
        arguments: node_arguments.ResizeArguments,
    ) -> None:
        """Resize a bay to one size after the other."""
        changes = [
            node_change.NodeChangeSpec(size, nodegroup=arguments.nodegroup)
            for size in arguments.sizes
        ]
        limits = deadlines.ResizeDeadlines(**arguments.deadlines)
        self._change_nodes("resize_bay", life, cluster, changes, limits)

    def replace(
        self,
        life: bay_life.BayLife,
        cluster: client.KubeClient,
        arguments: node_arguments.ReplaceArguments,
    ) -> None:
        """Replace nodes of a bay, one batch after the other."""
        changes = node_change.replacements(
            life.nodes,
            arguments.number(len(life.nodes)),
            batch=arguments.batch,
            drain=arguments.drain,
        )
        limits = deadlines.ResizeDeadlines(**arguments.deadlines)
        self._change_nodes("replace_nodes", life, cluster, changes, limits)

    def _change_nodes(
        self,
        action: str,
        life: bay_life.BayLife,
        cluster: client.KubeClient,
        changes: Iterable[node_change.NodeChangeSpec],
        limits: deadlines.ResizeDeadlines,
    ) -> None:
        for number, spec in enumerate(changes, 1):
            change = life.change_nodes(cluster, spec, number, limits)
            with self._change_kept(life.name, change):
                self._timed(f"magnum.{action}", change.run)

    @contextlib.contextmanager
    def _change_kept(
        self, bay: str, change: node_change.NodeChangeRun
    ) -> Iterator[None]:
        """Keep the record of a change, even if the change fails."""
        try:
            yield
        finally:
            self._keep_one("node_change", bay, change.record)

    def _life(self, arguments: bay_arguments.BayArguments) -> bay_life.BayLife:
        name = self.generate_random_name()
        if arguments.keep_bay:
            name = name.replace("rms-", "kept-", 1)
        tenant = self.context.get("tenant") or {}
        template = bay_templates.choose(tenant, arguments.bay_template)
        return bay_life.BayLife(
            lifecycle.Bays(clients.magnum_of(self._clients), LOG.info),
            arguments.request(name, template),
            LOG.info,
            capabilities=self.CAPABILITIES,
            # The context gives its templates random names in Magnum.
            template_name=(
                arguments.bay_template or ""
                if template != arguments.bay_template
                else ""
            ),
        )

    def _end(self, life: bay_life.BayLife) -> None:
        if life.kubeconfig and not interruption.requested():
            life.leave()
        elif life.record.uuid:
            self._timed("magnum.delete_bay", life.delete)


def _tls(
    spec: load_spec.LoadSpec,
    sign: Callable[[str], credentials.ServerCertificate] | None,
) -> load_spec.TargetTls:
    if sign is None:
        raise exceptions.InvalidInput(
            "tls: Magnum must sign the certificate, but it does not know a "
            "bay that a kubeconfig opens. Select the bay by its name with "
            "bay, or remove tls."
        )
    signed = sign(spec.names.server)
    return load_spec.TargetTls(
        signed.ca_pem, signed.certificate_pem, signed.key_pem
    )
