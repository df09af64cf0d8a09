"""Sets of processors, as the kernel writes them: ``0-3,8``."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping


def parse(text: str) -> frozenset[int]:
    """Return the numbers of the processors in a list of the kernel's.

    :param text: such as ``0-3,8``; empty for none
    :raises ValueError: when it is something else
    """
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, dash, last = part.partition("-")
        found.update(range(int(first), int(last if dash else first) + 1))
    return frozenset(found)


def write(cpus: Iterable[int]) -> str:
    """Return processors as the kernel writes them."""
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
    """Name those who have a set under it: of thousands most have the same.

    :param seen: name to the processors that it may use
    """
    found: dict[str, list[str]] = {}
    for name, cpus in sorted(seen.items()):
        found.setdefault(write(cpus), []).append(name)
    return found


def by_name(sets: Mapping[str, Iterable[str]]) -> dict[str, frozenset[int]]:
    """Return what :func:`by_set` was given.

    :raises ValueError: when a key is no set of processors
    """
    return {
        name: parse(text) for text, names in sets.items() for name in names
    }
