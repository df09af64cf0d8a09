import os

import hypothesis
import pytest

from rally_magnum_scale.bays import openstack_session

# Rally's plugins, which some tests load, would let the sessions of all later
# tests wait by the real clock.
openstack_session.mount_on_all = lambda: None

# How long an example takes says how busy the machine is, nothing else.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture
def no_umask():
    """Let a new file have every permission that its writer allows."""
    before = os.umask(0)
    yield
    os.umask(before)
