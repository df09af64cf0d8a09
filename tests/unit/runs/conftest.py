import pytest

from rally_magnum_scale import retries
from rally_magnum_scale.kube import client
from rally_magnum_scale.runs import deployment


@pytest.fixture
def short_waits(monkeypatch):
    """Give up soon where a test's API refuses or never reports a pod."""
    monkeypatch.setattr(client, "PAUSE_S", 0.01)
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(client, "UP_WITHIN_S", 1.0)
    monkeypatch.setattr(deployment, "_REPORTED_S", 0.5)
