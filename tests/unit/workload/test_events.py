"""Updates and faults: their time, their checks, their manifests."""

import json

import pytest

from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import load_spec
from rally_magnum_scale.workload import manifests
from tests.unit import loads

PLAN = Plan((Step(100, 10, 2), Step(200, 20, 3)))


def spec_of(**changes):
    return loads.load_spec(**{"plan": PLAN, "targets": 3, **changes})


def deployment(spec, version=events.OLD_VERSION):
    *_, found = manifests.targets(spec, "10.0.0.1", version)
    assert found["kind"] == "Deployment"
    return found["spec"]


def container(spec, version=events.OLD_VERSION):
    (found,) = deployment(spec, version)["template"]["spec"]["containers"]
    return found


def nginx_conf(spec, version=events.OLD_VERSION):
    config_map, _ = manifests.targets(spec, "10.0.0.1", version)
    return config_map["data"]["nginx.conf"]


def test_an_event_time_counts_from_the_steady_phase_of_its_step():
    assert events.Moment(at_s=4, step=1).seconds(PLAN) == 2 + 4
    assert events.Moment(at_s=4).seconds(PLAN) == 12 + 3 + 4
    assert events.Moment(at_s=4).number(PLAN) == 2


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ({"step": 3}, "update.step: there is no step 3, only 2"),
        ({"step": 1, "at_s": 10}, "update.at_s: 10 s is not in the 10"),
        ({"at_s": -1}, "update.at_s: -1 s"),
        ({"max_surge": "lots"}, "update.max_surge: 'lots'"),
        ({"max_surge": "250%"}, "update.max_surge: '250%'"),
        ({"max_unavailable": "x"}, "update.max_unavailable: 'x'"),
        ({"max_surge": 0, "max_unavailable": "0%"}, "can't both be 0"),
    ],
)
def test_an_invalid_update_is_refused_with_its_key(moment, words):
    with pytest.raises(ValueError, match=words):
        spec_of(update=events.RollingUpdate(**moment))


def test_a_fault_outside_the_plan_is_refused_with_its_index():
    late = events.NodeFault(how="stop", at_s=20)
    with pytest.raises(ValueError, match=r"faults\[1\].at_s: 20 s"):
        spec_of(faults=(events.NodeFault(at_s=19), late))


@pytest.mark.parametrize(
    "disturbed",
    [{"update": events.RollingUpdate()}, {"faults": (events.NodeFault(),)}],
)
def test_pod_addresses_are_refused_with_disruptions(disturbed):
    with pytest.raises(ValueError, match="target_address: .* use service"):
        spec_of(target_address="pod", **disturbed)


def test_manifests_without_an_update_do_not_mention_versions():
    spec = spec_of()
    assert "strategy" not in deployment(spec)
    assert "lifecycle" not in container(spec)
    conf = nginx_conf(spec)
    assert events.VERSION_HEADER not in conf
    assert "closing" not in conf
    assert spec.update_s == 0


def test_both_versions_send_a_version_header_of_equal_length():
    spec = spec_of(update=events.RollingUpdate())
    confs = {version: nginx_conf(spec, version) for version in "12"}
    for version, conf in confs.items():
        assert f"add_header {events.VERSION_HEADER} {version} always" in conf
    assert len(confs["1"]) == len(confs["2"])
    names = {
        version: manifests.targets(spec, "10.0.0.1", version)[0]["metadata"][
            "name"
        ]
        for version in "12"
    }
    assert names["1"] != names["2"]
    for version, name in names.items():
        template = deployment(spec, version)["template"]
        assert template["metadata"]["labels"][events.LABEL_VERSION] == version
        volumes = template["spec"]["volumes"]
        assert {"name": "conf", "configMap": {"name": name}} in volumes
    # Or the Deployment would not know its own pods.
    selectors = [deployment(spec, v)["selector"] for v in "12"]
    assert selectors[0] == selectors[1]
    assert events.LABEL_VERSION not in selectors[0]["matchLabels"]


def test_a_terminating_target_serves_on_and_then_quits():
    spec = spec_of(update=events.RollingUpdate(pre_stop_s=7), timeout_s=4)
    command = container(spec)["lifecycle"]["preStop"]["exec"]["command"][-1]
    steps = [command.index(x) for x in ("touch", "sleep 7", "-s quit")]
    assert steps == sorted(steps)
    assert manifests.CLOSING_PATH in command
    pod = deployment(spec)["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 7 + 4


def test_probe_lifecycle_and_surge_can_be_turned_off():
    spec = spec_of(
        update=events.RollingUpdate(
            pre_stop_s=0,
            readiness_probe=False,
            strategy="Recreate",
            min_ready_s=3,
        )
    )
    assert "lifecycle" not in container(spec)
    assert "readinessProbe" not in container(spec)
    assert deployment(spec)["strategy"] == {"type": "Recreate"}
    found = deployment(spec)
    # Kubernetes refuses one that is not more than the other.
    assert found["progressDeadlineSeconds"] > found["minReadySeconds"] == 3


def test_the_deployment_has_the_strategy_of_the_update():
    spec = spec_of(
        update=events.RollingUpdate(max_surge=2, max_unavailable="0%")
    )
    assert deployment(spec)["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 2, "maxUnavailable": "0%"},
    }
    assert container(spec)["readinessProbe"]


def test_only_the_new_pods_have_the_new_image():
    spec = spec_of(
        update=events.RollingUpdate(nginx_image="nginx:new"),
        image_prefix="reg",
    )
    assert container(spec)["image"] == f"reg/{spec.nginx_image}"
    assert container(spec, "2")["image"] == "reg/nginx:new"


@pytest.mark.parametrize("update", [None, events.RollingUpdate()])
def test_the_job_contains_the_version_header(update):
    (pod, *_) = manifests.load(
        spec_of(update=update), target_ip="10.0.0.1", master_ip="10.0.0.2"
    )
    (found,) = pod["spec"]["containers"]
    environ = {one["name"]: one["value"] for one in found["env"]}
    header = json.loads(environ["RMS_JOB"])["version_header"]
    assert header == (events.VERSION_HEADER if update else "")
    assert Job.from_environ(environ).version_header == header


def test_the_deadlines_of_events_can_be_given():
    update = events.RollingUpdate(pre_stop_s=5)
    given = load_spec.Deadlines(update_s=7, recover_s=8)
    spec = spec_of(update=update, deadlines=given)
    assert (spec.update_s, spec.recover_s) == (7, 8)
    ours = spec_of(update=update)
    assert ours.update_s > 3 * 5
    assert ours.recover_s > 0
