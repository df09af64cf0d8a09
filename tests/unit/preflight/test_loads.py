"""A load in an existing bay against what the bay has."""

import dataclasses

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.preflight import comparison
from rally_magnum_scale.preflight import loads
from rally_magnum_scale.preflight import plan
from rally_magnum_scale.workload import pod_options
from tests.unit.kube import certificates
from tests.unit.preflight import fake_bay
from tests.unit.preflight import fake_cloud

UNKNOWN_ALWAYS = {"admission of the pods", "limits of a new namespace"}


@pytest.fixture
def check(bay):
    """Compare a load with the bay, and return the rows by their thing."""

    def checked(wanted=None, may_grow=False, **options):
        wanted = wanted or load(**options)
        with fake_bay.connect(bay.url) as cluster:
            found = loads.check_cluster(wanted, cluster, may_grow=may_grow)
        return {row.what: row for row in found}

    return checked


def load(targets=2, workers=2, surge=0, requests=None, options=(), **fields):
    own = pod_options.PodOptions(requests=requests or {}, **dict(options))
    pods = (
        plan.PodsPlan("target", targets, own, surge),
        plan.PodsPlan("worker", workers, own),
        plan.PodsPlan("master", 1, pod_options.PodOptions()),
    )
    return plan.LoadPlan(**{"bay": "b", **fields}, pods=pods)


def verdicts(rows):
    return {what: row.verdict for what, row in rows.items()}


def short(rows):
    return [what for what, row in rows.items() if row.verdict == "short"]


def unknown(rows):
    found = [w for w, row in rows.items() if row.verdict == "unknown"]
    return [what for what in found if what not in UNKNOWN_ALWAYS]


def test_a_bay_with_room(check):
    found = check(requests={"cpu": "500m", "memory": "1Gi"})
    assert not short(found)
    assert not unknown(found)
    assert {w: (r.need, r.have) for w, r in found.items()} == {
        "rights in the bay": ("3 rights", "all"),
        "rights in a new namespace": ("10 rights", "all"),
        "admission of the pods": ("restricted", "?"),
        "limits of a new namespace": ("none", "?"),
        "room for the targets": ("2", "room for 24 on 3 nodes"),
        "room for the workers": ("2", "room for 24 on 3 nodes"),
        "room for the master": ("1", "room for 330 on 3 nodes"),
        "pods of the load": ("5", "330 free"),
        "cores of the load": ("2", "12 free"),
        "memory of the load": ("4.0 GiB", "24.0 GiB free"),
        "room for all pods together": ("5", "found"),
    }
    assert {what: found[what].verdict for what in UNKNOWN_ALWAYS} == (
        dict.fromkeys(UNKNOWN_ALWAYS, "unknown")
    )


def test_pods_without_requests_need_no_cores(check):
    found = check()
    assert "cores of the load" not in found
    assert not short(found)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"targets": 13, "requests": {"cpu": "1"}},
            ["room for the targets", "cores of the load"],
        ),
        # Each kind alone would fit.
        (
            {"targets": 7, "workers": 7, "requests": {"cpu": "1"}},
            ["cores of the load"],
        ),
        (
            {"targets": 1, "workers": 1, "requests": {"memory": "9Gi"}},
            ["room for the targets", "room for the workers"],
        ),
        (
            {"targets": 400},
            ["room for the targets", "pods of the load"],
        ),
        (
            {"options": {"node_selector": {"a": "b"}}},
            ["room for the targets", "room for the workers"],
        ),
    ],
)
def test_a_load_that_does_not_fit(check, options, expected):
    found = check(**options)
    assert short(found) == expected
    assert all(found[what].change for what in expected)


def test_pods_of_others_take_room(bay, check):
    bay.pods = [fake_bay.pod("n-0", "4"), fake_bay.pod("n-1", "3")]
    assert not short(check(targets=2, workers=2, requests={"cpu": "1"}))
    found = check(targets=2, workers=4, requests={"cpu": "1"})
    assert short(found) == ["cores of the load"]
    assert found["cores of the load"].have == "5 free"


def test_the_pods_of_other_loads_may_be_gone_by_then(bay, check):
    bay.namespaces = [{"metadata": {"name": "n"}}]
    bay.pods = [fake_bay.pod(f"n-{number}", "4") for number in range(3)]
    found = check(requests={"cpu": "1"})
    assert not short(found)
    assert "namespaces n" in found["cores of the load"].change
    bay.namespaces = []
    assert "cores of the load" in short(check(requests={"cpu": "1"}))


def test_nodes_that_are_not_ready_or_tainted_have_no_room(bay, check):
    taint = {"key": "gpu", "effect": "NoSchedule"}
    bay.nodes = [
        fake_bay.node("a", ready=False),
        fake_bay.node("b", taints=[taint]),
        fake_bay.node("c", unschedulable=True),
    ]
    found = check()
    assert found["room for the master"].have == "no Ready node takes them"
    assert "tolerations in pods.master" in found["room for the master"].change
    assert found["pods of the load"].verdict == "short"


def test_pods_that_fit_only_by_luck_are_unknown(bay, check):
    bay.nodes = [fake_bay.node(f"n-{n}", cpu="3") for n in range(2)]
    found = check(targets=1, workers=2, requests={"cpu": "2"})
    # Three pods of 2 cores need 6 cores, but each node takes only one.
    assert not short(found)
    assert found["cores of the load"].verdict == "enough"
    assert unknown(found) == ["room for all pods together"]


def test_the_surge_of_an_update_may_find_no_room(check):
    wanted = load(targets=8, surge=3, workers=2, requests={"cpu": "1"})
    found = check(dataclasses.replace(wanted, updated=True))
    assert found["cores of the load"].need == "10 to 13"
    assert found["cores of the load"].verdict == "unknown"
    assert found["room for the targets"].need == "8 to 11"
    assert not short(found)


def test_loads_that_overlap_add_up(check):
    wanted = load(targets=3, workers=1, requests={"cpu": "1"})
    three = dataclasses.replace(wanted, at_least=1, at_most=4)
    assert check(three)["cores of the load"].verdict == "unknown"
    four = dataclasses.replace(wanted, at_least=4, at_most=4)
    found = check(four)
    assert found["cores of the load"].need == "16"
    assert found["cores of the load"].verdict == "short"


def test_a_required_spread_is_limited_by_the_smallest_node(bay, check):
    bay.nodes[0] = fake_bay.node("n-0", cpu="1")
    found = check(targets=6, requests={"cpu": "1"})
    assert not short(found)
    found = check(targets=6, requests={"cpu": "1"}, spread_required=True)
    assert short(found) == ["room for the targets"]
    assert found["room for the targets"].have == "room for 5 on 3 nodes"


@pytest.mark.parametrize("how", ["label", "status", "unreadable"])
def test_an_autoscaler_may_add_the_missing_nodes(bay, check, how):
    if how == "status":
        bay.config_maps = [{"metadata": {"name": "cluster-autoscaler-status"}}]
    if how == "unreadable":
        bay.refuse["configmaps"] = 403
    found = check(targets=400, may_grow=how == "label")
    assert not short(found)
    assert "autoscaler" in found["pods of the load"].change
    assert found["room for the master"].verdict == "enough"


def test_pods_that_cannot_be_listed_leave_a_shortage_certain(bay, check):
    bay.refuse["/pods"] = 403
    found = check(requests={"cpu": "1"})
    assert not short(found)
    assert found["room for the targets"].verdict == "unknown"
    assert "403" in found["cores of the load"].change
    found = check(targets=13, requests={"cpu": "1"})
    assert "cores of the load" in short(found)


@pytest.mark.parametrize("status", [401, 403, 500])
def test_nodes_that_cannot_be_listed_are_unknown(bay, check, status):
    bay.refuse["/nodes"] = status
    found = check()
    assert not short(found)
    assert found["room on the nodes"].verdict == "unknown"
    assert f"{status}" in found["room on the nodes"].change


@pytest.mark.parametrize(
    ("kind", "odd"),
    [("nodes", {"status": {"conditions": [{}]}}), ("pods", {"spec": []})],
)
def test_an_odd_answer_is_unknown(bay, check, kind, odd):
    getattr(bay, kind).append({"metadata": {"name": "x"}, **odd})
    found = check()
    assert not short(found)
    assert unknown(found)


def test_a_server_that_does_not_answer_is_one_row():
    with fake_bay.connect("http://127.0.0.1:1") as cluster:
        (row,) = loads.check_cluster(load(), cluster)
    assert (row.what, row.verdict) == ("Kubernetes API", "unknown")
    assert "failed in the attempt" in row.change


def compared(wanted, projects=(), **workload):
    task = plan.WorkloadPlan("w", load=wanted, **workload)
    found = comparison.compare([task], lambda _: list(projects))
    return {row.what: row for row in found}


def test_a_kubeconfig_needs_no_cloud(bay, tmp_path):
    path = fake_bay.kubeconfig(tmp_path / "config", bay.url)
    found = compared(load(bay=None, kubeconfig=path))
    assert found["room for the targets"].verdict == "enough"
    other = load(bay=None, kubeconfig=path, kubeconfig_context="other")
    with pytest.raises(exceptions.InvalidInput, match="'other'"):
        compared(other)


def test_a_kubeconfig_of_a_server_that_does_not_answer(tmp_path):
    path = fake_bay.kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    (row,) = compared(load(bay=None, kubeconfig=path)).values()
    assert (row.what, row.verdict) == ("Kubernetes API", "unknown")


@pytest.fixture
def cloud(bay):
    with fake_cloud.serve() as cloud:
        cloud.signed = certificates.Authority().issue()[0]
        cloud.bays = [
            {
                "uuid": "c-1",
                "name": "b",
                "project_id": "p",
                "status": "CREATE_COMPLETE",
                "api_address": bay.url,
                "labels": {},
            }
        ]
        yield cloud


@pytest.fixture
def in_bay(cloud):
    def check(new=False, **options):
        with fake_cloud.project(cloud, new=new) as project:
            return compared(load(**options), [project], new_projects=int(new))

    return check


def test_a_bay_that_magnum_shows(in_bay):
    found = in_bay()
    assert next(iter(found)) == "bay"
    assert found["bay"].have == "CREATE_COMPLETE"
    assert found["room for the targets"].verdict == "enough"


def test_a_bay_that_magnum_scales_may_grow(cloud, in_bay):
    assert "pods of the load" in short(in_bay(targets=400))
    cloud.bays[0]["labels"] = {"auto_scaling_enabled": "True"}
    assert not short(in_bay(targets=400))


def test_a_bay_that_does_not_exist(cloud, in_bay):
    (row,) = in_bay(bay="other").values()
    assert (row.what, row.have, row.verdict) == ("bay", "none", "short")
    assert "set bay to one of: b" in row.change


def test_a_new_project_has_no_bays(in_bay):
    (row,) = in_bay(new=True).values()
    assert (row.what, row.verdict) == ("bay", "short")
    assert "existing users" in row.change


def test_a_bay_that_is_not_complete_is_unknown(cloud, in_bay):
    cloud.bays[0]["status"] = "UPDATE_IN_PROGRESS"
    (row,) = in_bay().values()
    assert (row.what, row.verdict) == ("bay", "unknown")
    assert "UPDATE_IN_PROGRESS" in row.change


@pytest.mark.parametrize(
    ("refused", "what"),
    [("clusters", "bay"), ("certificates", "Kubernetes API")],
)
def test_a_magnum_that_refuses_is_unknown(cloud, in_bay, refused, what):
    cloud.refuse[f"/{refused}"] = 403
    found = in_bay()
    assert found[what].verdict == "unknown"
    assert "403" in found[what].change
    assert not short(found)


def test_a_bay_whose_api_does_not_answer_is_unknown(cloud, in_bay):
    cloud.bays[0]["api_address"] = "http://127.0.0.1:1"
    found = in_bay()
    assert verdicts(found) == {"bay": "enough", "Kubernetes API": "unknown"}
