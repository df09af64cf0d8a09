"""A context that creates bays for all iterations of a workload."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent import futures
from typing import Any
from typing import TypeVar

from rally import consts
from rally.common import logging
from rally.common import validation
from rally.task import atomic
from rally.task import context
from rally_openstack.task import context as openstack_context

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import quotas
from rally_magnum_scale.runs import bay_life
from rally_magnum_scale.task import clients
from rally_magnum_scale.task import validator_base
from rally_magnum_scale.task.contexts import bay_groups
from rally_magnum_scale.task.contexts import bay_templates
from rally_magnum_scale.task.recovery import cleanup

LOG = logging.getLogger(__name__)

_CONCURRENCY = 4

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class _Bay:
    """A bay of this context, from before its creation until its deletion.

    :param actions: durations, in the form of Rally's atomic actions
    """

    tenant_id: str
    role: str | None
    life: bay_life.BayLife
    actions: atomic.ActionTimerMixin = dataclasses.field(
        default_factory=atomic.ActionTimerMixin
    )

    def make(self) -> None:
        interruption.check()
        try:
            with atomic.ActionTimer(self.actions, "magnum.create_bay"):
                cluster = self.life.create()
        finally:
            if self.life.record.uuid:
                cleanup.hold(self.life.record.uuid)
        opened = self.life.connect(cluster)
        with atomic.ActionTimer(self.actions, "kubernetes.wait_for_nodes"):
            self.life.wait_for_nodes(opened)

    def remove(self) -> None:
        """Delete the bay, if its creation was requested."""
        if not self.life.record.uuid:
            return
        try:
            with atomic.ActionTimer(self.actions, "magnum.delete_bay"):
                self.life.delete()
        finally:
            cleanup.release(self.life.record.uuid)

    def to_json(self) -> dict[str, Any]:
        record = self.life.record
        return {
            "name": self.life.name,
            "uuid": record.uuid,
            "nodes": record.nodes,
            "role": self.role,
            "record": record.to_json(),
        }


@validation.configure(name="magnum_scale_bays")
class BaysValidator(validator_base.Validator):
    """Check that the configuration has exactly one of the two forms."""

    def check(self, validated: validator_base.Validated) -> None:
        if objection := bay_groups.objection(validated.config):
            self.fail(objection)


@validation.add("magnum_scale_bays")
@validation.add("required_platform", platform="openstack", users=True)
@context.configure(name="bays", platform="openstack", order=481)
class BaysContext(cleanup.NamedContext, openstack_context.OpenStackContext):
    """Creates bays in each tenant, which all iterations share.

    For bays that are all the same, give ``nodes`` and ``count``.
    Otherwise give ``bays``, a list of groups.  A group has ``nodes`` and,
    optionally, ``count``, ``name``, ``bay_template``, ``masters``,
    ``keypair``, ``network``, ``subnet``, ``flavor``, ``master_flavor`` and
    ``labels``.  The context creates up to ``concurrency`` (default 4) bays
    at the same time, over all tenants.  If one bay fails, the context
    aborts the others and deletes all bays.  ``deadlines`` has ``create_s``,
    ``nodes_ready_s`` and ``delete_s``.
    """

    CONFIG_SCHEMA = {
        "type": "object",
        "$schema": consts.JSON_SCHEMA7,
        "properties": {
            **bay_groups.BAY_PROPERTIES,
            "bays": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": bay_groups.BAY_PROPERTIES,
                    "required": ["nodes"],
                    "additionalProperties": False,
                },
                "minItems": 1,
            },
            "concurrency": {"type": "integer", "minimum": 1},
            "deadlines": bay_groups.DEADLINES,
        },
        "additionalProperties": False,
    }

    def __init__(self, ctx: dict[str, Any]) -> None:
        super().__init__(ctx)
        self._bays: list[_Bay] = []
        self._concurrency = int(self.config.get("concurrency", _CONCURRENCY))
        self._group = Group(self._concurrency)

    def setup(self) -> None:
        """Create all bays and wait until all their nodes are Ready.

        :raises BayError: when a bay can't be created; Rally then calls
            :meth:`cleanup`
        :raises Interrupted: when the run is interrupted
        """
        self._refuse_if_there_is_no_room()
        self._bays += self._planned()
        LOG.info(f"Creating {len(self._bays)} bays for the iterations.")
        try:
            self._group.run(_Bay.make, self._bays)
        finally:
            self._note_actions()
        for bay in self._bays:
            tenant = self.context["tenants"][bay.tenant_id]
            tenant.setdefault("bays", []).append(bay.to_json())

    def cleanup(self) -> None:
        """Delete all bays and wait until they are gone.

        :raises BayError: the first failure, after all deletions were tried
        """
        try:
            with interruption.deferred():
                self._remove_all()
        finally:
            # Bays that could not be deleted are tried again, by name.
            cleanup.sweep("clusters", self)

    def _remove_all(self) -> None:
        for bay in self._bays:
            bay.actions.reset_atomic_actions()
        errors = run_all(_Bay.remove, self._bays, self._concurrency)
        self._note_actions()
        for error in errors:
            LOG.error(str(error))
        if errors:
            raise errors[0]

    def _refuse_if_there_is_no_room(self) -> None:
        """Check Magnum's quota, if the user may see it."""
        wanted = bay_groups.count(self.config)
        for user, tenant_id in self._iterate_per_tenants():
            magnum = clients.magnum_of(user["credential"].clients())
            try:
                room = quotas.BayQuotas(magnum).remaining(tenant_id)
            except exceptions.BayError:
                continue
            if wanted > room:
                raise exceptions.InvalidInput(
                    f"The context bays needs {wanted} bays in the project "
                    f"{tenant_id}, but Magnum's quota leaves room for {room}. "
                    "Raise the quota with the context bay_quotas, or create "
                    "fewer bays."
                )

    def _planned(self) -> Iterator[_Bay]:
        for user, tenant_id in self._iterate_per_tenants():
            tenant = self.context["tenants"][tenant_id]
            # Rally's own keypair context creates a keypair for each user.
            keypair = (user.get("keypair") or {}).get("name")
            for group in bay_groups.read(self.config):
                template = bay_templates.choose(tenant, group.template)
                for _ in range(group.count):
                    request = group.request(
                        self.generate_random_name(), template, keypair
                    )
                    life = self._life(user, request, group.template or "")
                    yield _Bay(tenant_id, group.role, life)

    def _life(
        self,
        user: Mapping[str, Any],
        request: lifecycle.BayRequest,
        template_name: str,
    ) -> bay_life.BayLife:
        def log(text: str) -> None:
            LOG.info(f"{request.name}: {text}")

        # Each bay has its own client, because several threads use them.
        magnum = clients.magnum_of(user["credential"].clients())
        own = lifecycle.Bays(magnum, log, sleep=self._group.sleep)
        return bay_life.BayLife(own, request, log, "context", template_name)

    def _note_actions(self) -> None:
        taken = [
            action
            for bay in self._bays
            for action in bay.actions.atomic_actions()
        ]
        taken.sort(key=lambda action: action["started_at"] or 0.0)
        self.atomic_actions().extend(taken)


class Group:
    """Parallel pieces of work that are all aborted when one piece fails."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._failures: list[Exception] = []

    def run(self, work: Callable[[T], None], things: Sequence[T]) -> None:
        """Do the work on each thing; wait for every piece that has started.

        :raises Exception: the first exception of a piece of work
        """

        def one(thing: T) -> None:
            try:
                self._check()
                work(thing)
            except Exception as error:
                self._failures.append(error)

        with futures.ThreadPoolExecutor(self._concurrency) as pool:
            list(pool.map(one, things))
        if self._failures:
            raise self._failures[0]

    def sleep(self, seconds: float) -> None:
        """Sleep within a piece of work.

        :raises GivenUp: when another piece has failed
        :raises Interrupted: when the run is interrupted
        """
        interruption.sleep(seconds)
        self._check()

    def _check(self) -> None:
        if self._failures and not interruption.is_deferred():
            raise exceptions.GivenUp(
                "Aborted this bay because another bay of the same context "
                "could not be created."
            )


def run_all(
    work: Callable[[T], None], things: Sequence[T], concurrency: int
) -> list[Exception]:
    """Do the work on each thing; return the errors."""

    def one(thing: T) -> Exception | None:
        try:
            with interruption.deferred():
                work(thing)
        except Exception as error:
            return error
        return None

    with futures.ThreadPoolExecutor(concurrency) as pool:
        return [error for error in pool.map(one, things) if error is not None]


def bays_of(
    context: Mapping[str, Any], tenant_id: str
) -> tuple[dict[str, Any], ...]:
    """Return the bays that the context created in a tenant, in order.

    :param context: Rally's context of the workload or of an iteration
    :returns: for each bay ``name``, ``uuid``, ``nodes``, ``role`` (None
        when the task gave no name), and ``record``, the body of its record
    """
    tenant = context["tenants"].get(tenant_id) or {}
    return tuple(tenant.get("bays") or ())
