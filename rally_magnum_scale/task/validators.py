"""Validators that check a task before anything is created."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import ClassVar

import jsonschema
from rally.common import validation

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import machines
from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.kube import client
from rally_magnum_scale.task import validator_base
from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import load_arguments
from rally_magnum_scale.task.scenarios import node_arguments
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.task.scenarios import workload_arguments

_INVALID = (TypeError, ValueError, exceptions.InvalidInput)


@validation.configure(name="magnum_scale_nested_keys")
class NestedKeysValidator(validator_base.Validator):
    """Name the invalid key inside an argument.

    Rally checks the arguments against the same schema, but names only the
    argument.  For an argument with ten labels, that is not enough.
    """

    def check(self, validated: validator_base.Validated) -> None:
        schemas = validated.plugin.get_info()["schema"]["properties"]
        for name, value in validated.arguments.items():
            known = jsonschema.Draft7Validator(schemas.get(name, {}))
            for error in known.iter_errors(value):
                if error.absolute_path:
                    path = "".join(
                        f"[{key}]" if isinstance(key, int) else f".{key}"
                        for key in error.absolute_path
                    )
                    self.fail(f"{name}{path}: {error.message}.")


class _ArgumentsValidator(validator_base.Validator):
    """Checks arguments together, after Rally has checked their types."""

    what = "arguments"

    def read(self, given: dict[str, Any]) -> None:
        """Raise an error that names the invalid key.

        :raises ValueError: when the arguments are invalid
        """
        raise NotImplementedError

    def check(self, validated: validator_base.Validated) -> None:
        try:
            self.read(validated.arguments)
        except _INVALID as error:
            reason = str(error).rstrip(".")
            self.fail(f"The {self.what} are invalid: {reason}.")


_NOT_BACK = "a deleted machine does not come back"


@validation.configure(name="magnum_scale_load")
class LoadValidator(_ArgumentsValidator):
    """Check the steps and the sizes of a load.

    It finds errors that the schema can't find, such as an empty list of
    steps, or a missing file with the pull secret.
    """

    what = "arguments of the load"
    arguments: type[workload_arguments.WorkloadArguments] = (
        load_arguments.LoadArguments
    )
    # Invalid defaults for required arguments, so that the check refuses
    # them.
    nothing: ClassVar[Mapping[str, Any]] = {"steps": []}

    def read(self, given: dict[str, Any]) -> None:
        wanted = signature.read(self.arguments, {**self.nothing, **given})
        spec = wanted.spec(records.Source("task", 1, "bay"))
        lost = sum(fault.nodes for fault in spec.faults)
        nodes = given.get("nodes")
        if isinstance(nodes, int) and lost >= nodes:
            raise ValueError(
                f"faults: they take out {lost} nodes of a bay of {nodes}, but "
                "the load needs at least one node that stays; take out fewer "
                "nodes"
            )
        hows = [fault.how for fault in spec.faults]
        if given.get("keep_bay") and machines.DELETE in hows:
            raise ValueError(
                f"faults[{hows.index(machines.DELETE)}].how: {_NOT_BACK}, "
                "but keep_bay keeps the bay; use network or stop, or remove "
                "keep_bay"
            )


@validation.configure(name="magnum_scale_updated_load")
class UpdatedLoadValidator(LoadValidator):
    """Check a load and the update of its targets."""

    arguments = load_arguments.UpdatedLoadArguments


@validation.configure(name="magnum_scale_faulty_load")
class FaultyLoadValidator(LoadValidator):
    """Check a load and the loss of its nodes."""

    arguments = load_arguments.FaultyLoadArguments
    nothing: ClassVar[Mapping[str, Any]] = {"steps": [], "faults": []}


@validation.configure(name="magnum_scale_search")
class SearchValidator(LoadValidator):
    """Check the bounds and limits of a search, and the sizes of its load."""

    what = "arguments of the search"
    arguments = load_arguments.SearchArguments
    nothing: ClassVar[Mapping[str, Any]] = {"bounds": {}}


@validation.configure(name="magnum_scale_sizes")
class SizesValidator(_ArgumentsValidator):
    """Check that each new size of a bay differs from the one before."""

    what = "sizes"

    def read(self, given: dict[str, Any]) -> None:
        known = {"sizes": [], "nodes": 0, **given}
        wanted = signature.read(node_arguments.ResizeArguments, known)
        # Only Magnum knows how many nodes a node group has at first.
        wanted.check(-1 if wanted.nodegroup else known["nodes"])


@validation.configure(name="magnum_scale_replacement")
class ReplacementValidator(_ArgumentsValidator):
    """Check the number of nodes to replace."""

    what = "arguments of the replacement"

    def read(self, given: dict[str, Any]) -> None:
        wanted = signature.read(node_arguments.ReplaceArguments, given)
        wanted.number(given.get("nodes", sys.maxsize))


@validation.configure(name="magnum_scale_keep_bay")
class KeepBayValidator(validation.RequiredPlatformValidator):
    """Check that a bay can be kept.

    Rally deletes the tenants that it creates at the end of the task, and a
    bay can't outlive its tenant.
    """

    def __init__(self) -> None:
        super().__init__(platform="openstack")

    def validate(self, context: Any, config: Any, **plugin: Any) -> None:
        """Fail with a message that says what to do instead."""
        del plugin
        validated = validator_base.Validated(config)
        if not validated.arguments.get("keep_bay"):
            return
        existing = context["platforms"].get("openstack", {}).get("users")
        users = validated.context("users") or {}
        if not existing or set(users) - {"user_choice_method"}:
            self.fail(
                "keep_bay: the bay would be deleted with the tenant that "
                "users@openstack creates for this task. List existing users "
                "under 'users' in the spec of the Rally environment, and "
                'give the context as "users@openstack": {}.'
            )
        if not os.access(Path.cwd(), os.W_OK):
            self.fail(
                f"keep_bay: the kubeconfig of the bay can't be written to "
                f"{Path.cwd()}. Start the task in a folder that this user "
                "may write to."
            )


@validation.configure(name="magnum_scale_step_or_event")
class StepOrEventValidator(validator_base.Validator):
    """Check that a criterion judges either a step or events.

    A schema could refuse both keys, but its message would not say what to
    do.
    """

    def check(self, validated: validator_base.Validated) -> None:
        both = {"step", "during"}
        config = validated.config
        if isinstance(config, dict) and both <= set(config):
            self.fail(
                "during: it can't be combined with step, because a criterion "
                "judges either one step or the time of each event. Remove "
                "one of the two."
            )


@validation.configure(name="magnum_scale_history")
class HistoryValidator(validator_base.Validator):
    """Check that a history file can be read."""

    def check(self, validated: validator_base.Validated) -> None:
        try:
            path = Path(validated.config["history"]).expanduser()
            storage.read_before(path)
        except exceptions.InvalidInput as error:
            self.fail(f"history: {error}")


@validation.configure(name="magnum_scale_which_bay")
class WhichBayValidator(validator_base.Validator):
    """Check that exactly one argument or context selects the bay."""

    def check(self, validated: validator_base.Validated) -> None:
        which = signature.read(bay_arguments.BaySelection, validated.arguments)
        made = validated.context("bays")
        given = [
            name
            for name, value in (
                ("bay", which.bay),
                ("kubeconfig", which.kubeconfig),
                ("the context bays", made),
            )
            if value is not None
        ]
        if len(given) != 1:
            self.fail(
                "The bay for the load must be selected exactly once, but it "
                f"is selected by {' and '.join(given) or 'nothing'}. Give "
                "exactly one of the arguments bay and kubeconfig or the "
                "context bays@openstack."
            )
        self._check_details(
            which,
            made,
            validated.arguments.get("tls", workload_arguments.NO_TLS),
        )
        for key, how in _fault_methods(validated.arguments):
            self._check_fault(which, made, key, how)

    def _check_details(
        self, which: bay_arguments.BaySelection, made: Any, tls: str
    ) -> None:
        if which.bay_role is not None:
            roles = _roles(made)
            if which.bay_role not in roles:
                self.fail(
                    "bay_role: no entry of the context bays has the name "
                    f"{which.bay_role!r}. The names are: "
                    f"{', '.join(roles) or 'none'}."
                )
        if which.kubeconfig_context and not which.kubeconfig:
            self.fail(
                "kubeconfig_context: it selects a context of a kubeconfig, "
                "but the argument kubeconfig is not given."
            )
        if which.kubeconfig and tls != workload_arguments.NO_TLS:
            self.fail(
                "tls: Magnum must sign the certificate, but it does not know "
                "a bay that a kubeconfig opens. Select the bay by its name "
                "with bay, or remove tls."
            )
        if which.kubeconfig:
            self._check_kubeconfig(which.kubeconfig, which.kubeconfig_context)

    def _check_fault(
        self, which: bay_arguments.BaySelection, made: Any, key: str, how: Any
    ) -> None:
        if which.bay and how == machines.DELETE:
            self.fail(
                f"{key}: {_NOT_BACK}, and this task did not create the bay "
                f"{which.bay!r}. Use network or stop, or a scenario that "
                "creates its own bay."
            )
        if made is not None and how == machines.DELETE:
            self.fail(
                f"{key}: {_NOT_BACK}, and all iterations share the bays of "
                "the context bays. Use network or stop, or a scenario that "
                "creates its own bay."
            )
        if which.kubeconfig and how != machines.DELETE:
            self.fail(
                f"{key}: {how} needs access to the machines of the nodes, "
                "which a kubeconfig does not give. Use delete, which removes "
                "the Node object and brings it back, or select the bay by "
                "its name in Magnum with bay."
            )

    def _check_kubeconfig(self, path: str, context: str | None) -> None:
        try:
            with client.connect_kubeconfig(path, context):
                pass
        except (exceptions.InvalidInput, exceptions.MissingExtra) as error:
            self.fail(str(error))


@validation.configure(name="magnum_scale_platform_of_bay")
class BayPlatformValidator(validation.RequiredPlatformValidator):
    """Check that the task has OpenStack, if the bay is found through it."""

    def __init__(self) -> None:
        super().__init__(platform="openstack", users=True)

    def validate(self, context: Any, config: Any, **plugin: Any) -> None:
        """Fail unless the bay is opened by a kubeconfig."""
        validated = validator_base.Validated(config)
        if validated.arguments.get("kubeconfig") is not None:
            return
        super().validate(context, config, **plugin)
        if validated.context("users") is None:
            self.fail(
                "Only an OpenStack user can find a bay in Magnum. Add the "
                'context "users@openstack": {}, which uses the existing '
                "users of the Rally environment if it has any."
            )


def _fault_methods(args: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the ``how`` of each fault, with its key.

    Other validators refuse anything that is not a list of faults.
    """
    given = args.get("faults")
    return [
        (f"faults[{index}].how", fault.get("how"))
        for index, fault in enumerate(given if isinstance(given, list) else ())
        if isinstance(fault, dict)
    ]


def _roles(made: Any) -> list[str]:
    """Return the names of the groups of the context ``bays``."""
    entries = made.get("bays", [made]) if isinstance(made, dict) else []
    return [each["name"] for each in entries if "name" in each]
