"""The names that Rally generates, and no others, name a run."""

import re

import hypothesis
from hypothesis import strategies
from rally_openstack.task.contexts.keystone import users

from rally_magnum_scale.reap import findings

RUN = "0a1b2c3d"

# Names of other people that come close to ours: whole ones, and parts of
# ours in any order.
_PART = strategies.one_of(
    strategies.sampled_from(["rms", "kept", "c_rally", "-", "_", RUN, "\n"]),
    strategies.text("0123456789abcdefXZ-_", max_size=9),
)
NEAR = strategies.lists(_PART, max_size=7).map("".join)


@hypothesis.given(strategies.one_of(strategies.text(), NEAR))
def test_only_exact_names_are_those_of_a_run(name):
    exact = re.compile(r"\Ac_rally_[0-9a-f]{8}_[0-9A-Za-z]{8}\Z")
    assert (findings.run_of(name) is not None) == bool(exact.match(name))


def test_every_name_that_rally_gives_is_found():
    generator = users.UserGenerator.__new__(users.UserGenerator)
    generator.context = {"owner_id": f"{RUN}-0000-0000-0000-000000000003"}
    for _ in range(20):
        assert findings.run_of(generator.generate_random_name()) == RUN
