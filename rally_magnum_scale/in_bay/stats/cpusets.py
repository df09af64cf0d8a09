"""CPU sets in the list format of the Linux kernel, such as ``0-3,8``."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping


def parse(text: str) -> frozenset[int]:
    """Return the numbers of the CPUs in a list.

    :param text: such as ``0-3,8``; empty for no CPU
    :raises ValueError: if the text is not a list of CPUs
    """
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, dash, last = part.partition("-")
        found.update(range(int(first), int(last if dash else first) + 1))
    return frozenset(found)


def write(cpus: Iterable[int]) -> str:
    """Return the list of some CPUs, such as ``0-3,8``."""
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        if parts and cpu == parts[-1][1] + 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return ",".join(
        str(first) if first == last else f"{first}-{last}"
        for first, last in parts
    )


def by_set(seen: Mapping[str, frozenset[int]]) -> dict[str, list[str]]:
    """Group names by their CPU set, because most of thousands have the same.

    :param seen: name to the CPUs that it may use
    :returns: list of CPUs to names
    """
    found: dict[str, list[str]] = {}
    for name, cpus in sorted(seen.items()):
        found.setdefault(write(cpus), []).append(name)
    return found


def by_name(sets: Mapping[str, Iterable[str]]) -> dict[str, frozenset[int]]:
    """Undo :func:`by_set`.

    :raises ValueError: if a key is not a list of CPUs
    """
    return {
        name: parse(text) for text, names in sets.items() for name in names
    }
