"""Resources and placement of the pods of a load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from decimal import Decimal
from typing import Any

from kubernetes.utils import quantity

from rally_magnum_scale.in_bay.stats import checks

COMPONENTS = ("target", "worker", "master")
RESOURCES = ("cpu", "memory")

_QUANTITY = re.compile(
    r"(\d+(\.\d*)?|\.\d+)"
    r"(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d{1,2})?",
    re.ASCII,
)
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
_LABEL_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = re.compile(
    rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_LABEL_NAME}"
)
_LABEL_VALUE = re.compile(rf"({_LABEL_NAME})?")

_TOLERATION_KEYS = ("key", "operator", "value", "effect", "tolerationSeconds")
_OPERATORS = ("Exists", "Equal")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@dataclass(frozen=True)
class PodOptions:
    """Options of the pods of one component.

    :param requests: requested quantity of each resource,
        ``{"cpu": "500m"}``
    :param limits: maximum quantity of each resource
    :param node_selector: labels that a node must have
    :param tolerations: tolerated taints, in the form of Kubernetes
    """

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def from_json(cls, data: Any, name: str = "pods") -> PodOptions:
        """Read and check the options of one component.

        :param data: an object with the fields of this class
        :param name: name of the argument, for the error
        :raises ValueError: when a key is invalid; names the key
        """
        checks.check_keys(name, data, [one.name for one in fields(cls)])
        checked = cls(**data)
        checked.check(name)
        return checked

    def check(self, name: str) -> None:
        """Check what the schema can't check.

        :param name: name of the argument, for the error
        :raises ValueError: when a key is invalid; names the key
        """
        for key in ("requests", "limits"):
            _check_resources(getattr(self, key), f"{name}.{key}")
        for resource, request in self.requests.items():
            limit = self.limits.get(resource, request)
            if amount(request) > amount(limit):
                raise checks.wrong(
                    f"{name}.requests.{resource}",
                    f"{request!r} is more than the limit of {limit!r}",
                )
        _check_selector(self.node_selector, f"{name}.node_selector")
        if not isinstance(self.tolerations, list | tuple):
            raise checks.wrong(
                f"{name}.tolerations", f"must be a list: {self.tolerations!r}"
            )
        for index, toleration in enumerate(self.tolerations):
            _check_toleration(toleration, f"{name}.tolerations[{index}]")


def read_all(data: Any) -> dict[str, PodOptions]:
    """Read the options of all components; the default is no options.

    :param data: options of each component, as JSON or as
        :class:`PodOptions`
    :raises ValueError: when a key is invalid; names the key
    """
    found = {name: PodOptions() for name in COMPONENTS}
    checks.check_keys("pods", data, COMPONENTS)
    for name, options in data.items():
        if isinstance(options, PodOptions):
            options.check(f"pods.{name}")
            found[name] = options
        else:
            found[name] = PodOptions.from_json(options, f"pods.{name}")
    return found


def whole_cores(options: PodOptions) -> int:
    """Return how many processes can each have a core.

    :returns: the whole cores of the CPU limit; 1 if it is less, or if there
        is no limit, because then other pods may need the node's cores
    """
    limit = options.limits.get("cpu")
    return max(1, int(amount(limit))) if limit else 1


def amount(text: str) -> Decimal:
    """Return a quantity such as ``500m`` or ``2Gi`` as a number.

    :raises ValueError: when it is not a quantity above 0
    """
    # The parser takes more than Kubernetes does, such as "NaN" and "1_000".
    if _QUANTITY.fullmatch(text):
        value = Decimal(quantity.parse_quantity(text))
        if value > 0:
            return value
    raise ValueError(f"{text!r} is not a quantity above 0")


def _check_resources(given: Any, name: str) -> None:
    checks.check_keys(name, given, RESOURCES)
    for resource, text in given.items():
        if not isinstance(text, str):
            raise checks.wrong(
                f"{name}.{resource}",
                f"must be a string such as '500m' or '2Gi': {text!r}",
            )
        try:
            amount(text)
        except ValueError as error:
            raise checks.wrong(f"{name}.{resource}", error) from None


def _check_selector(given: Any, name: str) -> None:
    if not isinstance(given, Mapping):
        raise checks.wrong(name, f"must be an object of labels: {given!r}")
    for key, value in given.items():
        if not (
            checks.matches(_LABEL_KEY, key)
            and checks.matches(_LABEL_VALUE, value)
        ):
            raise checks.wrong(
                f"{name}.{key}", f"{value!r} is not a node label"
            )


def _check_toleration(given: Any, name: str) -> None:
    checks.check_keys(name, given, _TOLERATION_KEYS)
    values = dict(given)
    for key, allowed in (("operator", _OPERATORS), ("effect", _EFFECTS)):
        value = values.get(key, allowed[0])
        checks.check_one_of(f"{name}.{key}", value, allowed)
    operator = values.get("operator", "Equal")
    if operator == "Equal" and not values.get("key"):
        raise checks.wrong(
            f"{name}.key", "is required, except with the operator Exists"
        )
    if operator == "Exists" and values.get("value"):
        raise checks.wrong(
            f"{name}.value", "the operator Exists allows no value"
        )
    for key in ("key", "value"):
        if not isinstance(values.get(key, ""), str):
            raise checks.wrong(f"{name}.{key}", "must be a string")
    seconds = values.get("tolerationSeconds", 0)
    if type(seconds) is not int:
        raise checks.wrong(
            f"{name}.tolerationSeconds", f"must be a whole number: {seconds!r}"
        )
