"""Whether a text is a Locust file that can run in a bay.

It is looked at and not run: it is made for a worker's pod, and Locust
patches every process that imports it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

# Half of the 1 MiB that Kubernetes lets a ConfigMap have: the package's code
# is in the same one.
MAX_BYTES = 524_288

_SHAPE = "LoadTestShape"
_USER = "User"


def check(text: str) -> None:
    """Refuse what can't run as a load.

    :param text: the Locust file
    :raises ValueError: naming the argument, and what is wrong with the file
    """
    size_bytes = len(text.encode())
    if size_bytes > MAX_BYTES:
        raise _wrong(
            f"it has {size_bytes} bytes, and the ConfigMap that takes it to "
            f"the bay has room for {MAX_BYTES}; move data out of it"
        )
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        where = getattr(error, "lineno", None)
        at = f" (line {where}: {error.args[0]})" if where else ""
        raise _wrong(f"it is not Python{at}") from None
    kinds = _kinds(tree)
    if not any(_is_user(kind) for kind in kinds):
        raise _wrong(
            "no class in it is a Locust user; derive one from HttpUser, "
            "FastHttpUser or User"
        )
    if any(_SHAPE in kind.bases for kind in kinds):
        raise _wrong(
            f"it has a {_SHAPE}, which would change the number of users in "
            "the middle of a step; take it out"
        )


def _wrong(clause: str) -> ValueError:
    return ValueError(f"locust_file: {clause}")


class _Kind:
    """A class of the file, with all the names that it derives from."""

    def __init__(self, node: ast.ClassDef, bases: set[str]) -> None:
        self.bases = bases
        self.is_abstract = any(_sets_abstract(one) for one in node.body)


def _kinds(tree: ast.Module) -> list[_Kind]:
    """Return the classes of a module, those in ``if`` and ``try`` too."""
    aliases = dict(_aliases(tree))
    found: dict[str, _Kind] = {}
    for node in _top_level(tree.body):
        if isinstance(node, ast.ClassDef):
            bases = {aliases.get(one, one) for one in map(_last, node.bases)}
            for base in [*bases]:
                if base in found:
                    bases |= found[base].bases
            found[node.name] = _Kind(node, bases)
    return [*found.values()]


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            for part in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from _top_level(handler.body)


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((a.asname, a.name) for a in node.names if a.asname)


def _is_user(kind: _Kind) -> bool:
    is_user = any(base.endswith(_USER) for base in kind.bases)
    return is_user and not kind.is_abstract


def _sets_abstract(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    value = node.value
    is_true = isinstance(value, ast.Constant) and value.value is True
    return is_true and any(_last(one) == "abstract" for one in targets)


def _last(node: ast.expr) -> str:
    """Return the name of a class, without the module before it."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
