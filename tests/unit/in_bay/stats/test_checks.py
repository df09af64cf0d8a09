import re

import pytest

from rally_magnum_scale.in_bay.stats import checks

KEYS = ("cpu", "memory")


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (checks.check_count, 1),
        (lambda key, value: checks.check_whole(key, value, 0), 0),
        (lambda key, value: checks.check_whole(key, value, 2), 2),
        (checks.check_seconds, None),
        (checks.check_seconds, 0.001),
        (lambda key, value: checks.check_one_of(key, value, KEYS), "memory"),
        (lambda key, value: checks.check_keys(key, value, KEYS), {}),
        (lambda key, value: checks.check_keys(key, value, KEYS), {"cpu": 1}),
    ],
)
def test_a_good_value_passes(check, good):
    check("pods", good)


@pytest.mark.parametrize(
    ("check", "value", "words"),
    [
        (checks.check_count, 0, "pods: must be a whole number above 0: 0"),
        (checks.check_count, True, "pods: must be a whole number above 0: T"),
        (
            lambda key, value: checks.check_whole(key, value, 2),
            1,
            "pods: must be a whole number, 2 or more: 1",
        ),
        (
            lambda key, value: checks.check_whole(
                key, value, 0, " of seconds"
            ),
            1.0,
            "pods: must be a whole number of seconds, 0 or more: 1.0",
        ),
        (checks.check_seconds, 0, "pods: must be above 0: 0"),
        (
            lambda key, value: checks.check_one_of(key, value, KEYS),
            "disk",
            "pods: 'disk' is not one of cpu, memory",
        ),
        (
            lambda key, value: checks.check_keys(key, value, KEYS),
            ["cpu"],
            "pods: must be an object: ['cpu']",
        ),
        (
            lambda key, value: checks.check_keys(key, value, ("a", "b", "c")),
            {"a": 1, "disk": 1},
            "pods.disk: there is no such key, only a, b and c",
        ),
    ],
)
def test_an_error_names_the_argument(check, value, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        check("pods", value)


@pytest.mark.parametrize(
    ("value", "matches"), [("a1", True), ("a1\n", False), (1, False)]
)
def test_a_pattern_describes_the_whole_text(value, matches):
    assert checks.matches(re.compile("[a-z][0-9]"), value) is matches
