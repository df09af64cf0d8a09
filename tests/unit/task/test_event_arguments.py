"""What a wrong update or fault is answered before anything is created."""

import pytest

from tests.unit.task import test_validators
from tests.unit.task.test_validators import STEPS
from tests.unit.task.test_validators import errors
from tests.unit.task.test_validators import in_bay
from tests.unit.task.test_validators import in_throughput
from tests.unit.task.test_validators import mentions

MADE = {"bays@openstack": {"nodes": 3}, "users@openstack": {}}


@pytest.fixture
def kubeconfig(tmp_path):
    return test_validators.kubeconfig(tmp_path)


def in_update(name="rolling_update_under_load", **arguments):
    return errors(name, {"nodes": 1, "steps": STEPS, **arguments})


def in_failure(**arguments):
    given = {"nodes": 3, "targets": 2, "steps": STEPS, **arguments}
    return errors("node_failure_under_load", given)


@pytest.mark.parametrize(
    ("update", "words"),
    [
        ({"strategi": "x"}, ("update", "strategi")),
        ({"strategy": "Replace"}, ("update.strategy", "Replace")),
        ({"at_s": -1}, ("update.at_s", "-1")),
        ({"at_s": 5}, ("update.at_s: 5 s is not in the 5",)),
        ({"at_s": 1, "step": 2}, ("update.step: there is no step 2",)),
        ({"at_s": 1, "max_surge": "most"}, ("update.max_surge: 'most'",)),
        ({"pre_stop_s": -2}, ("update.pre_stop_s", "-2")),
        ({"readiness_probe": "no"}, ("update.readiness_probe",)),
    ],
)
def test_an_invalid_update_is_named_by_its_key(update, words):
    assert mentions(in_update(update=update), *words)


def test_an_update_adds_its_deadlines_to_the_load():
    assert in_update(update={"at_s": 1}, deadlines={"update_s": 60}) == []
    assert mentions(in_throughput(deadlines={"update_s": 60}), "update_s")
    assert mentions(in_throughput(update={"at_s": 1}), "update")


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ([{"how": "burn"}], ("faults[0].how", "burn")),
        ([{"at_s": 1}], ("faults[0]", "how")),
        ([{"how": "stop", "at_s": 7}], ("faults[0].at_s: 7 s",)),
        ([{"how": "stop", "at_s": 1, "nodes": 0}], ("faults[0].nodes",)),
        ([{"how": "stop", "when": 1}], ("faults[0]", "when")),
        ([], ("faults: the list is empty",)),
    ],
)
def test_an_invalid_fault_is_named_by_its_index_and_key(faults, words):
    assert mentions(in_failure(faults=faults), *words)


def test_a_node_failure_scenario_requires_a_fault():
    assert mentions(in_failure(), "faults")


def test_any_load_may_have_faults():
    faults = [{"how": "stop", "at_s": 1}, {"how": "delete", "at_s": 2}]
    given = {"nodes": 3, "targets": 2, "faults": faults}
    assert in_throughput(**given) == []
    assert in_throughput(**given, deadlines={"recover_s": 9}) == []
    assert in_failure(**given) == []
    assert in_update(**given, update={"at_s": 1}) == []
    faults[1]["how"] = "network"
    assert in_bay(MADE, targets=2, faults=faults) == []


def test_a_search_has_no_steady_phase_to_disturb():
    given = {"nodes": 1, "bounds": {"p99_ms": 5}, "faults": []}
    assert mentions(errors("find_max_rate", given), "faults")


def test_pod_addresses_are_refused_with_disruptions():
    found = in_failure(
        faults=[{"how": "stop", "at_s": 1}], target_address="pod"
    )
    assert mentions(found, "target_address", "use service")


def test_the_delete_fault_is_refused_in_an_existing_bay():
    users = {"users@openstack": {}}
    given = {"bay": "theirs", "faults": [{"how": "delete", "at_s": 1}]}
    assert mentions(in_bay(users, **given), "faults[0].how", "'theirs'")
    given["faults"][0]["how"] = "stop"
    assert in_bay(users, **given) == []


def test_the_delete_fault_is_refused_in_a_bay_that_stays():
    faults = [{"how": "stop", "at_s": 1}, {"how": "delete", "at_s": 2}]
    given = {"targets": 2, "faults": faults}
    assert mentions(in_bay(MADE, **given), "faults[1].how", "context bays")
    found = in_throughput(nodes=3, keep_bay=True, **given)
    assert mentions(found, "faults[1].how", "remove keep_bay")


@pytest.mark.parametrize("faults", [5, "stop", ["stop"], [None], {"how": 1}])
def test_faults_that_are_not_a_list_are_refused(faults):
    users = {"users@openstack": {}}
    for found in (
        in_bay(users, bay="theirs", faults=faults),
        in_throughput(faults=faults),
    ):
        assert any("faults" in line for line in found)
        assert not any("Traceback" in line for line in found)


def test_faults_need_a_target_for_each_lost_node():
    lost = [{"how": "stop", "at_s": 1, "nodes": 2}, {"how": "stop", "at_s": 2}]
    found = in_failure(nodes=9, targets=2, faults=lost)
    assert mentions(found, "faults: each of 3 nodes", "there are 2")
    assert in_failure(nodes=9, targets=3, faults=lost) == []


def test_a_node_must_stay_for_the_load():
    lost = [{"how": "stop", "at_s": 1, "nodes": 3}]
    found = in_failure(nodes=3, targets=3, faults=lost)
    assert mentions(found, "faults: they take out 3 nodes of a bay of 3")
    assert in_failure(nodes=4, targets=3, faults=lost) == []


@pytest.mark.parametrize("how", ["network", "stop"])
def test_a_kubeconfig_gives_no_access_to_machines(how, kubeconfig):
    faults = [{"how": "delete", "at_s": 1}]
    assert in_bay(kubeconfig=kubeconfig, faults=faults) == []
    faults.append({"how": how, "at_s": 1})
    found = in_bay(kubeconfig=kubeconfig, faults=faults)
    assert mentions(found, "faults[1].how", "Use delete")


@pytest.mark.parametrize(
    "name", ["rolling_update_under_load", "node_failure_under_load"]
)
def test_disruptions_run_in_an_existing_bay(name, kubeconfig):
    given = {
        "steps": STEPS,
        "kubeconfig": kubeconfig,
        "faults": [{"how": "delete", "at_s": 1}],
    }
    if name.startswith("rolling"):
        given["update"] = {"at_s": 1}
    assert errors(f"{name}_in_bay", given) == []
    assert mentions(errors(f"{name}_in_bay", {**given, "nodes": 1}), "nodes")
