"""Which values a field of a record may have."""

import dataclasses
import sys
import typing

import pytest

from rally_magnum_scale.in_bay.stats import json_record

MOST = sys.float_info.max


@dataclasses.dataclass(frozen=True)
class Record(json_record.JsonRecord):
    count: int = 0
    time_s: float | None = None
    names: list[str] = dataclasses.field(default_factory=list)
    ratios: dict[str, float | None] = dataclasses.field(default_factory=dict)
    pair: tuple[int, ...] = ()
    flag: bool = False
    anything: typing.Any = None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 2**63),
        ("count", -(2**63)),
        ("count", 2.0),
        ("time_s", MOST),
        ("time_s", -MOST),
        ("time_s", None),
        ("time_s", 3),
        ("names", []),
        ("names", ["a", "b"]),
        ("ratios", {"a": 1, "b": None}),
        ("pair", (1, 2)),
        ("flag", True),
        ("anything", [{"a": None}]),
    ],
)
def test_a_value_of_the_type_of_its_field_is_read(field, value):
    read = Record.from_json({field: value})
    assert getattr(read, field) == read.to_json()[field] == value


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("count", 2**63 + 1, "int"),
        ("count", -(2**63) - 1, "int"),
        ("count", 2.5, "int"),
        ("count", True, "int"),
        ("count", None, "int"),
        ("count", float("inf"), "int"),
        ("time_s", float("nan"), "float | None"),
        ("time_s", float("inf"), "float | None"),
        ("time_s", False, "float | None"),
        ("time_s", int(MOST) * 2, "float | None"),
        ("names", "ab", "list[str]"),
        ("names", ["a", 1], "list[str]"),
        ("ratios", [], "dict[str, float | None]"),
        ("ratios", {"a": "b"}, "dict[str, float | None]"),
        ("ratios", {1: 1.0}, "dict[str, float | None]"),
        ("pair", (1, "2"), "tuple[int, ...]"),
        ("flag", 1, "bool"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(field, value, wanted):
    with pytest.raises(ValueError) as refused:
        Record.from_json({"record": "step", field: value})
    assert str(refused.value) == (
        f"The record 'step' can't be read: its field {field} is "
        f"{repr(value)[:80]}, and a value of the type {wanted} is needed."
    )


def test_a_long_value_is_cut_where_it_is_refused():
    with pytest.raises(ValueError) as refused:
        Record.from_json({"count": "x" * 1000})
    assert f"is '{'x' * 79}, and" in str(refused.value)
    assert "The record 'Record'" in str(refused.value)


def test_a_missing_field_is_named():
    @dataclasses.dataclass(frozen=True)
    class Whole(json_record.JsonRecord):
        count: int

    with pytest.raises(ValueError, match="record 'Whole' .*'count'"):
        Whole.from_json({"other": 1})
