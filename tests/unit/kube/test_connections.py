"""Followed and watched through a load balancer that cuts connections."""

import threading

import kubernetes.client
import pytest

from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import logs
from rally_magnum_scale.kube import nodes
from rally_magnum_scale.kube import renewal
from rally_magnum_scale.kube import watching
from tests.unit.kube import live_api
from tests.unit.kube import tcp_proxy

CUTS = ["fin", "rst", "silence"]


def cluster_at(port):
    configuration = kubernetes.client.Configuration()
    configuration.host = f"http://127.0.0.1:{port}"
    return client.KubeClient(renewal.RenewingApiClient(configuration))


@pytest.fixture(autouse=True)
def short_silence(monkeypatch):
    monkeypatch.setattr(client, "PAUSE_S", 0.1)
    monkeypatch.setattr(client, "SILENCE_S", 0.3)
    monkeypatch.setattr(client, "TIMEOUT_S", (1.0, 0.3))


def follow(port):
    return [
        line
        for line in logs.follow(cluster_at(port), "ns", "master", "locust")
        if line is not None
    ]


@pytest.mark.parametrize("how", CUTS)
def test_a_follow_loses_and_repeats_nothing(how):
    with (
        live_api.serve(lines=60, line_bytes=30_000) as (live, address),
        # After fifteen lines; ten of them may be sent again.
        tcp_proxy.proxy(address, cut_after_bytes=450_000, how=how) as proxy,
    ):
        found = follow(proxy.port)
    assert found == live.lines
    assert proxy.cuts >= 3
    resumed = [path for path in live.requests if "sinceTime=" in path]
    assert resumed, live.requests


@pytest.mark.parametrize("how", CUTS)
def test_a_watch_sees_every_node(how):
    with (
        live_api.serve(nodes=60) as (live, address),
        # After less than twenty nodes.
        tcp_proxy.proxy(address, cut_after_bytes=3_500, how=how) as proxy,
    ):
        found = nodes.wait_for_ready(cluster_at(proxy.port), 60, deadline_s=30)
    assert {node.name for node in found} == {f"node-{n}" for n in range(60)}
    assert proxy.cuts >= 3
    # Resumed where it was, and not listed anew.
    complete = [path for path in live.requests if "limit=" not in path]
    assert len([path for path in complete if "watch=" not in path]) < 3


@pytest.mark.parametrize("what", ["log", "nodes"])
def test_an_api_server_that_is_away_for_a_while_is_waited_for(what):
    with (
        live_api.serve(nodes=40, lines=40) as (live, address),
        tcp_proxy.proxy(address) as proxy,
    ):
        away = threading.Thread(target=be_away, args=(live, proxy))
        away.start()
        if what == "log":
            assert follow(proxy.port) == live.lines
        else:
            cluster = cluster_at(proxy.port)
            assert len(nodes.wait_for_ready(cluster, 40, deadline_s=30)) == 40
        away.join()
    assert proxy.cuts >= 1


def be_away(live, proxy):
    """Refuse all connections for a second, once there were requests."""
    pause = threading.Event()
    for _ in range(1000):
        if len(live.requests) >= 2:
            break
        pause.wait(0.01)
    pause.wait(0.1)
    proxy.is_down = True
    pause.wait(1.0)
    proxy.is_down = False


def test_a_connection_that_rested_is_not_used_again(monkeypatch):
    monkeypatch.setattr(client, "TIMEOUT_S", (5.0, 5.0))
    now = [0.0]
    configuration = kubernetes.client.Configuration()
    with (
        live_api.serve(nodes=1) as (_, address),
        tcp_proxy.proxy(address, how="silence") as proxy,
    ):
        configuration.host = f"http://127.0.0.1:{proxy.port}"
        configuration.retries = False
        cluster = client.KubeClient(
            renewal.RenewingApiClient(configuration, clock=lambda: now[0])
        )
        watching.list_objects(cluster.core.list_node)
        proxy.cut_every_s = 0.0
        for _ in range(1000):
            if proxy.cuts:
                break
            threading.Event().wait(0.01)
        proxy.cut_every_s = None
        now[0] += renewal.IDLE_S + 1
        objects, _ = watching.list_objects(cluster.core.list_node)
    assert proxy.cuts == 1
    assert len(objects) <= 1
