import pytest

from rally_magnum_scale.bays import nodegroups
from tests.unit.bays import fake_magnum


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ({}, ""),
        ({"a": ("CREATE_COMPLETE", None), "b": ("UPDATE_COMPLETE", "x")}, ""),
        (
            {"a": ("CREATE_IN_PROGRESS", None)},
            "node groups: a CREATE_IN_PROGRESS",
        ),
        ({"a": ("CREATE_FAILED", "")}, "node groups: a CREATE_FAILED"),
        (
            {"b": (None, None), "a": ("CREATE_FAILED", " no\nhost. ")},
            "node groups: a CREATE_FAILED (no host), b no status yet",
        ),
    ],
)
def test_node_groups_that_are_not_complete(states, words):
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    magnum.group_states = states
    with fake_magnum.bays(magnum) as bays:
        assert nodegroups.incomplete(bays._magnum, "c-1") == words
