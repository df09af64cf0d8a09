"""What all scenarios share: a bay for the length of an iteration."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import TypeVar

from rally.common import logging
from rally.common import validation
from rally.task import atomic
from rally_openstack.common import consts
from rally_openstack.task import scenario

from rally_magnum_scale import interruption
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.kubernetes import client
from rally_magnum_scale.measurement import records
from rally_magnum_scale.report import charts
from rally_magnum_scale.runs import bay_life
from rally_magnum_scale.task import cleanup
from rally_magnum_scale.task import clients
from rally_magnum_scale.task import output

LOG = logging.getLogger(__name__)

S = TypeVar("S", bound="type[BayScenario]")


def configure(name: str) -> Callable[[S], S]:
    """Register a scenario of this package with what each of them needs.

    :param name: of the scenario, after ``MagnumScale.``
    """
    register = scenario.configure(
        name=f"MagnumScale.{name}",
        context={
            "cleanup@openstack": [cleanup.SERVICE],
            "interruption@openstack": {},
        },
    )
    on_openstack = validation.add(
        "required_platform", platform="openstack", users=True
    )
    with_magnum = validation.add(
        "required_services", services=[consts.Service.MAGNUM]
    )
    return lambda cls: on_openstack(with_magnum(register(cls)))


class BayScenario(scenario.OpenStackScenario):
    """A scenario that makes a bay and always removes it."""

    # A bay's name becomes host names: lower case and DNS-safe.  Rally's
    # cleanup finds what a task left by this very form.
    RESOURCE_NAME_FORMAT = "rms-XXXXXXXX-XXXXXXXX"
    RESOURCE_NAME_ALLOWED_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"

    @contextlib.contextmanager
    def bay(
        self, nodes: int, **wanted: Any
    ) -> Iterator[tuple[bay_life.BayLife, client.Cluster]]:
        """Make a bay, hand it over when all nodes are Ready, remove it.

        Whatever happens the bay is deleted, and the records that exist by
        then become Rally's output.

        :param nodes: number of nodes
        :param wanted: further fields of
            :class:`~rally_magnum_scale.bays.lifecycle.BayRequest`
        """
        interruption.refuse_to_start()
        self._records: list[dict[str, Any]] = []
        life = bay_life.BayLife(
            lifecycle.Bays(clients.magnum_of(self._clients), LOG.info),
            lifecycle.BayRequest(self.generate_random_name(), nodes, **wanted),
            LOG.info,
        )
        failed = True
        try:
            with atomic.ActionTimer(self, "magnum.create_bay"):
                cluster = life.create()
            opened = life.connect(cluster)
            with atomic.ActionTimer(self, "kubernetes.wait_for_nodes"):
                life.wait_for_nodes(opened)
            yield life, opened
            failed = False
        finally:
            self._end(life, quietly=failed)

    def source(self, bay: str) -> records.Source:
        """Return what the records of this iteration have in common."""
        return records.Source(
            self.context["task"]["uuid"], self.context["iteration"], bay
        )

    def keep(self, found: Iterable[dict[str, Any]]) -> None:
        """Keep records for Rally's output, which is written at the end."""
        self._records += found

    def _end(self, life: bay_life.BayLife, *, quietly: bool) -> None:
        """Delete the bay, write the output, let the runner take note.

        :param quietly: an error is on its way already and must not be
            covered by one of the delete, which is logged instead
        """
        try:
            self._delete(life)
        except Exception as error:
            if not quietly:
                raise
            LOG.error("%s", error)
        finally:
            body = life.record.to_json()
            self.keep([self.source(life.name).envelope("bay", body)])
            self._write_output()
            interruption.wait_acknowledged()

    def _delete(self, life: bay_life.BayLife) -> None:
        if not life.record.uuid:
            return
        with atomic.ActionTimer(self, "magnum.delete_bay"):
            life.delete()

    def _write_output(self) -> None:
        run = records.collect(self._records)
        for drawn in charts.outputs(run):
            self.add_output(complete=drawn)
        self.add_output(complete=output.records_output(self._records))
