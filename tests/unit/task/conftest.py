import pytest


@pytest.fixture(scope="session", autouse=True)
def _plugins():
    from rally.plugins import load

    load()
