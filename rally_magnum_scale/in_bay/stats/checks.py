"""Checks of the arguments of a load; an error names the argument."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any


def wrong(key: str, why: object) -> ValueError:
    """Return the error for an invalid argument."""
    return ValueError(f"{key}: {why}")


def matches(pattern: re.Pattern[str], value: object) -> bool:
    """Return whether a value is a text that a pattern describes."""
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def check_count(key: str, value: int) -> None:
    """Check a number of things.

    :raises ValueError: when it is not a whole number above 0
    """
    if type(value) is not int or value < 1:
        raise wrong(key, f"must be a whole number above 0: {value!r}")


def check_whole(key: str, value: int, least: int, unit: str = "") -> None:
    """Check a whole number.

    :param unit: such as `` of seconds``, for the error
    :raises ValueError: when it is not a whole number, or below ``least``
    """
    if type(value) is not int or value < least:
        raise wrong(
            key, f"must be a whole number{unit}, {least} or more: {value!r}"
        )


def check_seconds(key: str, value: float | None) -> None:
    """Check a time; None means that it is not limited.

    :raises ValueError: when it is not above 0
    """
    if value is not None and value <= 0:
        raise wrong(key, f"must be above 0: {value}")


def check_one_of(key: str, value: object, known: Sequence[str]) -> None:
    """Check a word.

    :raises ValueError: when it is not one of the known words
    """
    if value not in known:
        raise wrong(key, f"{value!r} is not one of {', '.join(known)}")


def check_keys(name: str, data: Any, known: Sequence[str]) -> None:
    """Check the keys of an object.

    :param known: at least two keys
    :raises ValueError: when it is not an object, or has another key
    """
    if not isinstance(data, Mapping):
        raise wrong(name, f"must be an object: {data!r}")
    for key in data:
        if key not in known:
            raise wrong(
                f"{name}.{key}",
                f"there is no such key, only {', '.join(known[:-1])} and "
                f"{known[-1]}",
            )
