import pytest

from rally_magnum_scale import retries
from rally_magnum_scale.kube import client


@pytest.fixture(autouse=True)
def short_pause(monkeypatch):
    monkeypatch.setattr(client, "PAUSE_S", 0.01)
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.01)
