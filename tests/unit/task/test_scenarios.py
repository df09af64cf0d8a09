"""What scenarios share: their arguments, and what ends an iteration."""

import dataclasses
import inspect

import pytest
import typing_extensions
import yaml
from keystoneauth1 import noauth
from keystoneauth1 import session
from rally.task import scenario

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.in_bay import request_spec
from rally_magnum_scale.in_bay import traffic
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.task import output
from rally_magnum_scale.task.recovery import cleanup
from rally_magnum_scale.task.scenarios import bay_scenarios
from rally_magnum_scale.task.scenarios import load_arguments
from rally_magnum_scale.task.scenarios import load_scenarios
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.workload import load_spec
from tests.unit import loopback
from tests.unit.bays import fake_magnum

TASK = "0a1b2c3d-0000-0000-0000-000000000000"
STEPS = [{"rate_rps": 500, "duration_s": 5}]


@pytest.fixture(autouse=True)
def short_poll(monkeypatch):
    monkeypatch.setattr(lifecycle, "POLL_INTERVAL_S", 0.01)


class Clients:
    """As much of rally-openstack's clients as the scenarios use."""

    def __init__(self, opened):
        self.keystone = self
        self.credential = self
        self.region_name = None
        self.endpoint_type = "public"
        self._session = opened

    def get_session(self):
        return self._session, None


def context(**more):
    return {"task": {"uuid": TASK}, "iteration": 1, "tenants": {}, **more}


def run(kind, clients=None, more=None, **given):
    """Run an iteration; return its error and its records."""
    iteration = kind(context(**(more or {})), clients=clients)
    error = None
    try:
        iteration.run(**given)
    except exceptions.ScaleError as raised:
        error = raised
    return error, output.read_run({"output": iteration._output})


def create_and_delete(magnum, **given):
    with loopback.serve(magnum.answer) as url:
        opened = session.Session(auth=noauth.NoAuth(endpoint=url))
        with opened.session:
            return run(
                bay_scenarios.CreateAndDeleteBay,
                Clients(opened),
                nodes=2,
                **given,
            )


FAILED = {"status": "CREATE_FAILED", "status_reason": "No valid host"}
STUCK = {"status": "DELETE_FAILED", "status_reason": "volume is in use"}


def test_a_failed_delete_does_not_hide_the_failed_create():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS", FAILED, STUCK)
    error, left = create_and_delete(magnum)
    assert isinstance(error, exceptions.BayCreateFailed)
    assert "No valid host" in str(error)
    assert left.bay.failure == "capacity"
    assert left.bay.status == "DELETE_FAILED"


def test_a_failed_bay_is_deleted_despite_keep_bay(tmp_path):
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS", FAILED, 404)
    _, left = create_and_delete(magnum, keep_bay=True)
    assert left.bay.status == "GONE"
    assert "DELETE" in [method for method, _, _ in magnum.requests]


def created(magnum):
    return next(body for _, path, body in magnum.requests if body)


def test_the_arguments_of_the_bay_reach_magnum():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS", FAILED, 404)
    create_and_delete(
        magnum,
        bay_template="k8s",
        masters=3,
        keypair="own",
        network="n",
        subnet="s",
        flavor="f",
        master_flavor="m",
        labels={"a": "b"},
        deadlines={"create_s": 600},
    )
    body = created(magnum)
    assert body.pop("name").startswith("rms-0a1b2c3d-")
    assert body == {
        "cluster_template_id": "t-1",
        "node_count": 2,
        "master_count": 3,
        "keypair": "own",
        "fixed_network": "n",
        "fixed_subnet": "s",
        "flavor_id": "f",
        "master_flavor_id": "m",
        "labels": {"a": "b"},
        "merge_labels": True,
        "create_timeout": 10,
    }


def test_rallys_cleanup_ignores_a_kept_bay():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS", FAILED, 404)
    create_and_delete(magnum, keep_bay=True)
    own = bay_scenarios.CreateAndDeleteBay
    name = created(magnum)["name"]
    assert name.startswith("kept-0a1b2c3d-")
    assert not own.name_matches_object(name, exact=False)
    assert cleanup.NAME_FORMAT.startswith("rms-")


def test_a_template_of_the_context_is_resolved_to_its_id():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS", FAILED, 404)
    magnum.templates.append(fake_magnum.template("t-2", "rms-x"))
    with loopback.serve(magnum.answer) as url:
        opened = session.Session(auth=noauth.NoAuth(endpoint=url))
        with opened.session:
            _, left = run(
                bay_scenarios.CreateAndDeleteBay,
                Clients(opened),
                {"tenant": {"bay_templates": {"local-disk": "t-2"}}},
                nodes=1,
                bay_template="local-disk",
            )
    assert created(magnum)["cluster_template_id"] == "t-2"
    assert left.bay.template_name == "local-disk"


class Kubernetes:
    """The API of a bay whose only node is hollow, so no load can run."""

    def __init__(self, refuses=False):
        self.refuses = refuses
        self.deleted = []

    def answer(self, method, path, _body):
        path = path.split("?")[0].rstrip("/")
        if method == "DELETE":
            self.deleted.append(path)
            return (403 if self.refuses else 404), {"message": "refused"}
        if path == "/version":
            return 200, {"gitVersion": "v1.33.1", **VERSION}
        if path == "/api/v1/nodes":
            return 200, {"metadata": {"resourceVersion": "1"}, "items": [NODE]}
        return 404, {"message": "not found"}


VERSION = dict.fromkeys(
    (
        "major",
        "minor",
        "gitCommit",
        "gitTreeState",
        "buildDate",
        "goVersion",
        "compiler",
        "platform",
    ),
    "1",
)
NODE = {
    "metadata": {
        "name": "n",
        "annotations": {"kwok.x-k8s.io/node": "fake"},
        "labels": {},
    },
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}],
        "allocatable": {"cpu": "4"},
    },
}


def kubeconfig(folder, url):
    path = folder / "somewhere.kubeconfig"
    content = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.mark.parametrize("refuses", [False, True])
def test_only_our_namespace_is_removed_from_an_existing_bay(tmp_path, refuses):
    bay = Kubernetes(refuses)
    with loopback.serve(bay.answer) as url:
        error, left = run(
            load_scenarios.ThroughputInBay,
            kubeconfig=kubeconfig(tmp_path, url),
            steps=STEPS,
        )
    assert "hollow" in str(error)
    assert bay.deleted == ["/api/v1/namespaces/rms-0a1b2c3d-1-load"]
    assert left.bay.made_by == "kubeconfig"
    # Which is all that tells such a cluster apart from others.
    assert left.conditions["cloud"] == url
    assert left.bay.name == "somewhere"
    assert (left.bay.nodes, left.bay.nodes_hollow) == (1, 1)
    assert left.bay.kubernetes_version == "v1.33.1"


def bays_of_context(count, role=None):
    return [
        {
            "role": role,
            "record": bay_records.Bay(
                uuid=f"u-{number}",
                template="t",
                nodes=1,
                made_by="context",
                name=f"bay-{number}",
            ).to_json(),
        }
        for number in range(count)
    ]


def turn(iteration, found, role=None, choice="random", tenants=1):
    every = {f"other-{n}": {"id": f"other-{n}"} for n in range(tenants - 1)}
    own = {"id": "own", "bays": found}
    chosen = load_scenarios.ThroughputInBay(
        context(
            iteration=iteration,
            tenants={"own": own, **every},
            tenant=own,
            user_choice_method=choice,
        ),
        clients=object(),
    )
    chosen._records = []
    return chosen, chosen._bay_of_context(role)


def test_iterations_take_turns_in_the_bays_of_the_context():
    found = bays_of_context(2)
    names = [turn(number, found)[1].name for number in (1, 2, 3)]
    assert names == ["bay-0", "bay-1", "bay-0"]


def test_tenants_that_take_turns_reach_all_of_their_bays():
    found = bays_of_context(2)
    mine = (1, 3, 5)
    names = [turn(n, found, None, "round_robin", 2)[1].name for n in mine]
    assert names == ["bay-0", "bay-1", "bay-0"]


def test_only_bays_of_the_role_take_turns():
    found = [*bays_of_context(1), *bays_of_context(3, "big")[2:]]
    names = [turn(number, found, "big")[1].name for number in (1, 2)]
    assert names == ["bay-2", "bay-2"]


def test_an_iteration_has_the_records_of_all_bays_of_its_tenant():
    chosen, _ = turn(1, bays_of_context(3))
    read = records.collect(chosen._records)
    assert [bay.name for bay in read.bays] == ["bay-0", "bay-1", "bay-2"]


def test_a_role_without_a_bay_is_named():
    with pytest.raises(exceptions.InvalidInput, match="bay_role.*'big'"):
        turn(1, bays_of_context(2), "big")


@pytest.mark.parametrize(
    ("given", "processes"),
    [
        ({}, 1),
        ({"pods": {"worker": {"limits": {"memory": "8Gi"}}}}, 1),
        ({"pods": {"worker": {"limits": {"cpu": "900m"}}}}, 1),
        ({"pods": {"worker": {"limits": {"cpu": "3500m"}}}}, 3),
        ({"pods": {"target": {"limits": {"cpu": "4"}}}}, 1),
        (
            {
                "pods": {"worker": {"limits": {"cpu": "4"}}},
                "processes_per_worker": 2,
            },
            2,
        ),
    ],
    ids=str,
)
def test_a_worker_has_a_process_for_each_whole_core_of_its_limit(
    given, processes
):
    wanted = load_arguments.LoadArguments(steps=STEPS, workers=5, **given)
    spec = wanted.spec(records.Source(TASK, 1, "bay"))
    assert spec.traffic.processes_per_worker == processes
    assert spec.worker_processes == 5 * processes


def test_all_arguments_reach_the_specification(tmp_path):
    secret = tmp_path / "config.json"
    secret.write_text('{"auths": {"registry.example.org": {"auth": "c2U="}}}')
    wanted = load_arguments.LoadArguments(
        steps=STEPS,
        targets=4,
        workers=3,
        processes_per_worker=2,
        image_prefix="registry.example.org/mirror",
        image_pull_secret_file=str(secret),
        pull_ahead=True,
        pods={"worker": {"limits": {"cpu": "1"}}},
        spread="required",
        target_address="pod",
        request={"method": "POST", "body": "x"},
        keep_alive=False,
        arrivals="poisson",
        deadlines={"start_s": 5, "pull_s": 6, "connect_s": 7},
    )
    spec = wanted.spec(records.Source(TASK, 2, "bay"))
    assert spec.source == records.Source(TASK, 2, "bay")
    assert spec.traffic.plan.to_json() == [{**STEPS[0], "ramp_s": 0}]
    assert (spec.targets, spec.workers, spec.traffic.processes_per_worker) == (
        4,
        3,
        2,
    )
    assert spec.image_prefix == "registry.example.org/mirror"
    assert spec.pull_ahead
    assert spec.pods["worker"].limits == {"cpu": "1"}
    assert (spec.spread, spec.target_address) == ("required", "pod")
    assert spec.traffic.request.to_json() == {
        **request_spec.Request().to_json(),
        "method": "POST",
        "body": "x",
    }
    assert (spec.traffic.keep_alive, spec.traffic.arrivals) == (
        False,
        "poisson",
    )
    assert spec.deadlines.start_s == 5
    assert spec.deadlines.pull_s == 6
    assert spec.deadlines.connect_s == 7
    assert spec.image_pull_secret == secret.read_text()
    assert "c2U=" not in repr(spec) + repr(wanted)


@pytest.mark.parametrize(
    ("arguments", "converted"),
    [
        (
            load_arguments.UpdatedLoadArguments,
            {"steps", "image_pull_secret_file"},
        ),
        (
            load_arguments.SearchArguments,
            {field.name for field in dataclasses.fields(trials.Search)}
            | {"image_pull_secret_file"},
        ),
    ],
)
def test_no_argument_of_a_load_is_dropped(arguments, converted):
    known = {
        field.name
        for kind in (load_spec.LoadSpec, traffic.Traffic)
        for field in dataclasses.fields(kind)
    }
    given = {field.name for field in dataclasses.fields(arguments)}
    assert given - known == converted


def test_a_worker_without_processes_is_refused():
    wanted = load_arguments.LoadArguments(steps=STEPS, processes_per_worker=0)
    with pytest.raises(ValueError, match="processes_per_worker"):
        wanted.spec(records.Source(TASK, 1, "bay"))


@signature.closed
class Left(typing_extensions.TypedDict, total=False):
    a: int


@signature.closed
class Right(typing_extensions.TypedDict, total=False):
    b: int


@dataclasses.dataclass(frozen=True)
class One:
    """One.

    :param size: of one
    :param both: left
    """

    size: int
    both: Left = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Other:
    """Other.

    :param must: be given
    :param both: right
    """

    must: str
    flag: bool = False
    both: Right = dataclasses.field(default_factory=dict)


class Taking:
    @signature.flattened
    def run(self, one: One, other: Other) -> None:
        """Take both."""
        self.taken = (one, other)


def test_each_dataclass_gets_its_own_arguments():
    taking = Taking()
    taking.run(size=1, must="x", both={"a": 1, "b": 2})
    assert taking.taken == (One(1, {"a": 1}), Other("x", False, {"b": 2}))


def test_a_signature_is_that_of_all_dataclasses():
    taken = inspect.signature(Taking.run).parameters
    assert list(taken) == ["self", "size", "must", "both", "flag"]
    assert taken["must"].default is inspect.Parameter.empty
    assert taken["both"].default == {}
    assert ":param must: be given" in Taking.run.__doc__
    assert ":param both: left; right" in Taking.run.__doc__


@pytest.mark.parametrize(
    "name", ["create_and_delete_bay", "throughput", "throughput_in_bay"]
)
def test_every_argument_has_a_schema_and_words(name):
    info = scenario.Scenario.get(f"MagnumScale.{name}").get_info()
    properties = info["schema"]["properties"]
    assert len(properties) > 5
    for argument, schema in properties.items():
        assert len(schema["description"]) > 10, argument
        assert {"type", "enum", "anyOf"} & set(schema), argument
