"""A bay, and Rally's plugins, loaded before the test modules."""

import pytest
from rally import plugins

from tests.unit.preflight import fake_bay

plugins.load()


@pytest.fixture
def bay():
    with fake_bay.serve() as bay:
        yield bay
