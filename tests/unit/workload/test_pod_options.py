import re
from decimal import Decimal

import pytest

from rally_magnum_scale.workload import pod_options
from rally_magnum_scale.workload.pod_options import PodOptions


def test_all_components_have_options():
    given = {"worker": {"limits": {"cpu": "2"}}, "master": PodOptions()}
    found = pod_options.read_all(given)
    assert found == {
        "target": PodOptions(),
        "worker": PodOptions(limits={"cpu": "2"}),
        "master": PodOptions(),
    }
    assert pod_options.read_all(found) == found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("4", "4"),
        (".5", "0.5"),
        ("2Ki", "2048"),
        ("1.5Gi", "1610612736"),
        ("2k", "2000"),
        ("1E", "1e18"),
        ("1e3", "1000"),
        ("5E-1", "0.5"),
    ],
)
def test_a_quantity_is_read(text, value):
    assert pod_options.amount(text) == Decimal(value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"worker": {"limits": {"cpu": "2x"}}},
            "pods.worker.limits.cpu: '2x' is not a quantity above 0",
        ),
        (
            {"worker": {"limits": {"cpu": "-1"}}},
            "pods.worker.limits.cpu: '-1' is not a quantity above 0",
        ),
        (
            {"worker": {"limits": {"cpu": "0"}}},
            "pods.worker.limits.cpu: '0' is not a quantity above 0",
        ),
        (
            {"worker": {"limits": {"cpu": "\u0665"}}},
            "pods.worker.limits.cpu: '\u0665' is not a quantity above 0",
        ),
        (
            {"worker": {"limits": {"memory": "1e999"}}},
            "pods.worker.limits.memory: '1e999' is not a quantity above 0",
        ),
        (
            {"worker": {"limits": {"cpu": 2}}},
            "pods.worker.limits.cpu: must be a string such as "
            "'500m' or '2Gi': 2",
        ),
        (
            {"worker": {"limits": {"disk": "1Gi"}}},
            "pods.worker.limits.disk: there is no such key, only "
            "cpu and memory",
        ),
        (
            {"worker": {"limits": "1"}},
            "pods.worker.limits: must be an object: '1'",
        ),
        (
            {"worker": {"limts": {}}},
            "pods.worker.limts: there is no such key, only requests, limits, "
            "node_selector and tolerations",
        ),
        (
            {"workers": {}},
            "pods.workers: there is no such key, only target, "
            "worker and master",
        ),
        ([], "pods: must be an object: []"),
        (
            {"master": {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}},
            "pods.master.requests.cpu: '2' is more than the limit of '1500m'",
        ),
        (
            {"master": PodOptions(requests={"cpu": "lots"})},
            "pods.master.requests.cpu: 'lots' is not a quantity above 0",
        ),
        (
            {"target": {"node_selector": {"disk": True}}},
            "pods.target.node_selector.disk: True is not a node label",
        ),
        (
            {"target": {"node_selector": {"a b": "c"}}},
            "pods.target.node_selector.a b: 'c' is not a node label",
        ),
        (
            {"target": {"node_selector": ["disk"]}},
            "pods.target.node_selector: must be an object of labels: ['disk']",
        ),
        (
            {"target": {"tolerations": {}}},
            "pods.target.tolerations: must be a list: {}",
        ),
        (
            {"target": {"tolerations": [{"operator": "Is"}]}},
            "pods.target.tolerations[0].operator: 'Is' is not one of "
            "Exists, Equal",
        ),
        (
            {"target": {"tolerations": [{"key": "a", "effect": "Never"}]}},
            "pods.target.tolerations[0].effect: 'Never' is not one of "
            "NoSchedule, PreferNoSchedule, NoExecute",
        ),
        (
            {"target": {"tolerations": [{"value": "a"}]}},
            "pods.target.tolerations[0].key: is required, except with the "
            "operator Exists",
        ),
        (
            {
                "target": {
                    "tolerations": [{"operator": "Exists", "value": "a"}]
                }
            },
            "pods.target.tolerations[0].value: the operator Exists allows no "
            "value",
        ),
        (
            {"target": {"tolerations": [{"key": 1}]}},
            "pods.target.tolerations[0].key: must be a string",
        ),
        (
            {
                "target": {
                    "tolerations": [{"key": "a", "tolerationSeconds": "1"}]
                }
            },
            "pods.target.tolerations[0].tolerationSeconds: must be a whole "
            "number: '1'",
        ),
        (
            {"target": {"tolerations": [{"taint": "a"}]}},
            "pods.target.tolerations[0].taint: there is no such "
            "key, only key, "
            "operator, value, effect and tolerationSeconds",
        ),
    ],
)
def test_invalid_pod_options_are_named(options, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        pod_options.read_all(options)


def test_valid_pod_options_are_accepted():
    options = {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"cpu": "500m"},
        "node_selector": {"example.org/disk": "local-1", "empty": ""},
        "tolerations": [
            {"operator": "Exists"},
            {
                "key": "a",
                "value": "b",
                "effect": "NoExecute",
                "tolerationSeconds": 30,
            },
        ],
    }
    found = PodOptions.from_json(options, "pods.worker")
    assert found.tolerations == options["tolerations"]
    assert found.node_selector == options["node_selector"]
