import pytest

from rally_magnum_scale.in_bay.stats.cpu_time import Reading
from rally_magnum_scale.kube import component_metrics
from tests.unit.kube import fake_api

# As Kubernetes 1.33 writes it.
PAGE = """\
# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="t",namespace="ns",pod="t-1"} 3.8 9
# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 27546.503408534 1795438227358
# HELP pod_cpu_usage_seconds_total [STABLE] Cumulative cpu time
# TYPE pod_cpu_usage_seconds_total counter
pod_cpu_usage_seconds_total{namespace="other",pod="t-1"} 1.5 1795438227788
pod_cpu_usage_seconds_total{namespace="ns",pod="t-1"} 3.65 1795438227627
pod_cpu_usage_seconds_total{namespace="ns",pod="w-1"} 7.7e+00 1795438231910
# TYPE scrape_error gauge
scrape_error 0
"""
T_1 = Reading(1795438227.627, 3.65)


def path(node):
    return f"/api/v1/nodes/{node}/proxy/metrics/resource"


def look(script, *nodes, deadline_s=10.0):
    script = {path(node): answers for node, answers in script.items()}
    with fake_api.serve(script) as (fake, cluster):
        found = component_metrics.read_cpu_usage(
            cluster, "ns", nodes, deadline_s=deadline_s
        )
        fake.closing.set()
    return found, [requested for requested, _ in fake.queries]


def test_the_counters_of_pods_and_node_have_their_times():
    found, requested = look({"n1": [PAGE]}, "n1")
    assert found.pods == {"t-1": T_1, "w-1": Reading(1795438231.91, 7.7)}
    assert found.nodes == {"n1": Reading(1795438227.358, 27546.503408534)}
    assert found.failures == {}
    assert requested == [path("n1")]


def test_many_nodes_are_read_once_each():
    nodes = [f"n{number}" for number in range(50)]
    found, requested = look({node: [PAGE] for node in nodes}, *nodes, *nodes)
    assert set(found.nodes) == set(nodes)
    assert sorted(requested) == sorted(map(path, nodes))


@pytest.mark.parametrize(
    ("answer", "why"), [(403, "403"), (404, "404"), (503, "503")]
)
def test_a_node_that_refuses_leaves_the_others(answer, why):
    found, _ = look({"n1": [answer], "n2": [PAGE]}, "n1", "n2")
    assert set(found.nodes) == {"n2"}
    assert found.pods["t-1"] == T_1
    assert set(found.failures) == {"n1"}
    assert why in found.failures["n1"]
    assert "CPU counters of the node n1" in found.failures["n1"]


def test_a_node_that_does_not_answer_is_not_waited_for():
    found, _ = look({"n1": [20.0], "n2": [PAGE]}, "n1", "n2", deadline_s=1.5)
    assert set(found.nodes) == {"n2"}
    assert "n1 did not answer the request for" in found.failures["n1"]
    assert "within 1.5 s" in found.failures["n1"]


def test_a_page_without_counters_gives_no_readings():
    found, _ = look({"n1": ["<html>login</html>"]}, "n1")
    assert found == component_metrics.CpuUsage({}, {}, {})


def test_a_counter_without_a_time_stamp_is_left_out():
    page = PAGE.replace(" 1795438227627", "").replace(" 1795438227358", "")
    found, _ = look({"n1": [page]}, "n1")
    assert set(found.pods) == {"w-1"}
    assert found.nodes == {}
    assert found.failures == {}


def test_a_value_that_is_not_a_number_is_a_failure():
    found, _ = look({"n1": [PAGE.replace("3.65", "much")]}, "n1")
    assert "much" in found.failures["n1"]
