"""Rally only warns when a plugin module fails to import: compare names."""

import json

from tests.unit import fresh_python

EXPECTED = {
    "Scenario": [
        "MagnumScale.create_and_delete_bay",
        "MagnumScale.find_max_rate",
        "MagnumScale.find_max_rate_in_bay",
        "MagnumScale.node_failure_under_load",
        "MagnumScale.node_failure_under_load_in_bay",
        "MagnumScale.replace_nodes",
        "MagnumScale.resize_bay",
        "MagnumScale.rolling_update_under_load",
        "MagnumScale.rolling_update_under_load_in_bay",
        "MagnumScale.throughput",
        "MagnumScale.throughput_in_bay",
    ],
    "Context": [
        "bay_quotas",
        "bay_templates",
        "bays",
        "interruption",
        "leftovers",
        "setting",
    ],
    "SLA": [
        "api_errors",
        "api_latency",
        "bay_create_time",
        "bay_delete_time",
        "bay_resize_time",
        "driver_lag",
        "max_rate",
        "no_regression",
        "node_ready_time",
        "node_replace_time",
        "pod_startup_time",
        "recovery_time",
        "request_errors",
        "request_latency",
        "request_rate",
        "rolling_update_time",
    ],
    "TaskExporter": [
        "magnum-scale-history",
        "magnum-scale-html",
        "magnum-scale-junit",
        "magnum-scale-openmetrics",
        "magnum-scale-table",
    ],
    "Validator": [
        "magnum_scale_bay_quotas",
        "magnum_scale_bay_templates",
        "magnum_scale_bays",
        "magnum_scale_criteria",
        "magnum_scale_faulty_load",
        "magnum_scale_history",
        "magnum_scale_keep_bay",
        "magnum_scale_load",
        "magnum_scale_nested_keys",
        "magnum_scale_platform_of_bay",
        "magnum_scale_replacement",
        "magnum_scale_search",
        "magnum_scale_sizes",
        "magnum_scale_step_or_event",
        "magnum_scale_updated_load",
        "magnum_scale_which_bay",
    ],
}

SCRIPT = """
import json, sys
from rally.common.plugin import plugin
from rally.plugins import load
load()
assert "gevent" not in sys.modules, "Locust was imported into Rally"
found = {}
for each in plugin.Plugin.get_all(allow_hidden=True):
    if each.__module__.startswith("rally_magnum_scale."):
        titles = found.setdefault(each._get_base().__name__, {})
        titles[each.get_name()] = each.get_info()["title"]
        if each._get_base().__name__ == "Scenario":
            contexts = set(each.get_default_context())
            missing = {"cleanup@openstack", "interruption@openstack",
                       "leftovers@openstack", "setting@openstack"} - contexts
            assert not missing, (each, missing)
print(json.dumps(found))
"""


def test_a_fresh_rally_finds_exactly_our_plugins():
    found = json.loads(fresh_python.run(SCRIPT).splitlines()[-1])
    assert {base: sorted(names) for base, names in found.items()} == EXPECTED
    for names in found.values():
        for name, title in names.items():
            assert len(title or "") > 20, name
