"""Dataclasses that are written as JSON objects and read back strictly."""

from __future__ import annotations

import dataclasses
import functools
import sys
import types
import typing
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import Self

# No clock, counter or size of a bay comes near this.
_MAX_INTEGER = 2**63


class JsonRecord:
    """Base class of a dataclass whose fields are the body of a record."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON."""
        return dataclasses.asdict(self)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """Read a record, and the records in its fields.

        Fields that this release does not know are ignored.

        :raises ValueError: if a field is missing, or if its value has the
            wrong type or is not finite
        """
        kind = record.get("record", cls.__name__)
        known = {
            name: _read_nested(record[name], wanted)
            for name, wanted in _types(cls).items()  # type: ignore[arg-type]
            if name in record
        }
        try:
            read = cls(**known)
        except TypeError as error:
            raise ValueError(
                f"The record {kind!r} can't be read: {error}."
            ) from error
        check_types(read, kind)
        return read


def greatest(values: Iterable[float | None]) -> float | None:
    """Return the greatest of the values that are known, if any."""
    return max((one for one in values if one is not None), default=None)


def _read_nested(value: Any, wanted: Any) -> Any:
    """Read the records in a value, if its type is one or has some."""
    for kind in (wanted, *typing.get_args(wanted)):
        if isinstance(kind, type) and issubclass(kind, JsonRecord):
            if isinstance(value, list):
                return [_read_nested(one, kind) for one in value]
            return kind.from_json(value) if isinstance(value, dict) else value
    return value


def check_types(read: Any, kind: str) -> None:
    """Check that the values of a dataclass have the types of its fields.

    :param read: a dataclass that was read from JSON
    :param kind: name of the record, for the error message
    :raises ValueError: names the first wrong field and its value
    """
    for name, wanted in _types(type(read)).items():  # type: ignore[arg-type]
        value = getattr(read, name)
        if not _fits(value, wanted):
            raise ValueError(
                f"The record {kind!r} can't be read: its field {name} is "
                f"{repr(value)[:80]}, and a value of the type "
                f"{_type_name(wanted)} is needed."
            )


@functools.cache
def _types(cls: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    fields = dataclasses.fields(cls)
    return {field.name: hints[field.name] for field in fields}


def _type_name(wanted: Any) -> str:
    return wanted.__name__ if isinstance(wanted, type) else str(wanted)


def _fits(value: Any, wanted: Any) -> bool:
    """Tell whether a value and its parts have a type.

    JSON does not distinguish ``2`` from ``2.0``.  A number must be finite.
    """
    if wanted is Any:
        return True
    if wanted is float:
        return is_number(value)
    if wanted is int:
        return (
            is_number(value)
            and abs(value) <= _MAX_INTEGER
            and value == int(value)
        )
    kind, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if kind in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if kind is None:
        return isinstance(value, wanted)
    if not isinstance(value, kind):
        return False
    if issubclass(kind, Mapping):
        key_type, value_type = inner
        return all(
            _fits(key, key_type) and _fits(one, value_type)
            for key, one in value.items()
        )
    return all(_fits(one, inner[0]) for one in value)


def is_number(value: Any) -> bool:
    """Tell whether a value from JSON is a finite number."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        # False for NaN; and an integer may be larger than any float.
        and abs(value) <= sys.float_info.max
    )
