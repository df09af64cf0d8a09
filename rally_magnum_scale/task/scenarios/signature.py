"""Build the signature of ``run()`` from dataclasses, and bound its types.

Rally checks a task against the signature of ``run()`` and the ``:param:``
lines of its docstring.  Here both come from dataclasses, so that scenarios
with the same arguments share the names, bounds and descriptions.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Annotated
from typing import Any
from typing import TypeVar

import typing_extensions
from rally.common.plugin import info
from rally.task.scenario import Field

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Milliseconds = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(min_length=1)]

T = TypeVar("T")
_PARAMETER = inspect.Parameter.POSITIONAL_OR_KEYWORD


def closed(kind: type[T]) -> type[T]:
    """Forbid extra keys in a TypedDict (PEP 728).

    This is a decorator because type checkers don't support the class
    argument yet.
    """
    kind.__closed__ = True  # type: ignore[attr-defined]
    return kind


def flattened(run: Callable[..., None]) -> Callable[..., None]:
    """Make the fields of the dataclasses that ``run()`` takes its arguments.

    ``run()`` is called with one instance of each dataclass.  A field that
    several of them have, such as ``deadlines``, is one argument with the
    keys of all.  The scenario keeps the arguments of the task as ``given``.
    """
    hints = typing.get_type_hints(run)
    kinds = [kind for name, kind in hints.items() if name != "return"]
    fields = _parameters(kinds)

    @functools.wraps(run)
    def wrapper(self: Any, **given: Any) -> None:
        self.given = given
        run(self, *(read(kind, given) for kind in kinds))

    wrapper.__annotations__ = {each.name: each.annotation for each in fields}
    wrapper.__annotations__["return"] = None
    wrapper.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("self", _PARAMETER), *fields]
    )
    wrapper.__doc__ = _docstring(run, kinds)
    return wrapper


def read(kind: type[T], given: Mapping[str, Any]) -> T:
    """Create a dataclass from the arguments of a task that are its fields.

    :raises TypeError: when a required argument is missing
    """
    hints = typing.get_type_hints(kind, include_extras=True)
    return kind(
        **{
            name: _own_keys(hint, given[name])
            for name, hint in hints.items()
            if name in given
        }
    )


def _own_keys(hint: Any, value: Any) -> Any:
    if not (typing_extensions.is_typeddict(hint) and isinstance(value, dict)):
        return value
    return {k: v for k, v in value.items() if k in hint.__annotations__}


def _parameters(kinds: Sequence[type[Any]]) -> list[inspect.Parameter]:
    found: dict[str, inspect.Parameter] = {}
    for kind in kinds:
        hints = typing.get_type_hints(kind, include_extras=True)
        for field in dataclasses.fields(kind):
            name, hint = field.name, hints[field.name]
            if name in found:
                hint = _joined(found[name].annotation, hint)
            found[name] = inspect.Parameter(
                name, _PARAMETER, default=_default(field), annotation=hint
            )
    # Python requires arguments without a default first.
    return sorted(
        found.values(),
        key=lambda each: each.default is not inspect.Parameter.empty,
    )


def _joined(one: Any, other: Any) -> Any:
    """Return a TypedDict that has the keys of two."""
    return types.new_class(
        one.__name__, (one, other), {"total": False, "closed": True}
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if field.default is not dataclasses.MISSING:
        return field.default
    return inspect.Parameter.empty


def _docstring(run: Callable[..., None], kinds: Sequence[type[Any]]) -> str:
    texts: dict[str, str] = {}
    # A base class describes its fields before the class itself does.
    bases = [base for kind in kinds for base in reversed(kind.__mro__)]
    for kind in filter(dataclasses.is_dataclass, bases):
        for each in info.parse_docstring(kind.__doc__)["params"]:
            words = " ".join(each["doc"].split())
            before = texts.get(each["name"])
            texts[each["name"]] = f"{before}; {words}" if before else words
    lines = [f":param {name}: {words}" for name, words in texts.items()]
    return "\n".join([inspect.getdoc(run) or "", "", *lines])
