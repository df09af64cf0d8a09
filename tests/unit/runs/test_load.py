import json

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay import request_spec
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.runs import deployment
from rally_magnum_scale.runs import load
from rally_magnum_scale.workload import load_spec
from tests.unit import loads
from tests.unit.in_bay.stats import simulated_target
from tests.unit.kube import fake_api

NAMESPACE = "rms-12345678-1-load"
BASE = f"/api/v1/namespaces/{NAMESPACE}"
APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
PREFIX = "rms-12345678-1"
READY = [{"type": "Ready", "status": "True"}]
FIRST_SECOND = 1_000_000
DONE = {"kind": "Status", "status": "Success"}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(client, "PAUSE_S", 0.01)
    monkeypatch.setattr(client, "UP_WITHIN_S", 1.0)
    # One of the pods never becomes Ready.
    monkeypatch.setattr(deployment, "_REPORTED_S", 0.5)


def spec_of(**changes):
    return loads.load_spec(Step(100, 2, 1), **{"targets": 2, **changes})


def pod(component, number, *, node="n1", state=None, phase="Running"):
    return {
        "metadata": {
            "name": f"{PREFIX}-{component}-{number}",
            "resourceVersion": "1",
            "ownerReferences": [{"kind": "Job"}],
        },
        "spec": {
            "nodeName": node,
            "containers": [
                {"name": component, "resources": {"limits": {"cpu": "1"}}}
            ],
        },
        "status": {
            "phase": phase,
            "podIP": f"10.1.0.{number}",
            "conditions": [] if state else READY,
            "containerStatuses": [
                {"name": component, "image": "i", "state": state or {}}
            ],
        },
    }


def listed(*items):
    return {"metadata": {"resourceVersion": "1"}, "items": [*items]}


TARGETS = listed(pod("target", 1), pod("target", 2, node="n2"))
MASTER = listed(pod("master", 3))
WORKERS = listed(pod("worker", 4))


def starting(uid, ready, version):
    conditions = READY if ready else []
    metadata = {"name": uid, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata, "status": {"conditions": conditions}}


STARTED = [
    {"type": "ADDED", "object": starting("a", False, 2)},
    {"type": "ADDED", "object": starting("b", False, 3)},
    {"type": "MODIFIED", "object": starting("a", True, 4)},
]


def window(second, *, workers=1):
    phase = "ramp" if second == 0 else "steady"
    times = Histogram.from_values_us({900: 100})
    return Window(
        FIRST_SECOND + second,
        phase,
        1,
        workers,
        100,
        {},
        times,
        times,
        Histogram.from_values_us({10: 100}),
    ).to_json()


def record(kind, /, **values):
    head = {
        "record": kind,
        "version": records.VERSION,
        "task": "12345678-aaaa",
    }
    return {**head, "iteration": 1, "bay": "b", **values}


def end(windows=3, **changes):
    values = {
        "windows": windows,
        "requests": 300,
        "failures": {},
        "due": [200],
        "workers_expected": 1,
        "workers_connected": 1,
        "reasons": [],
    }
    return record("end", **{**values, **changes})


WINDOWS = [record("window", **window(second)) for second in range(3)]


def log_of(*found):
    """Write a log as the kubelet does: a stamp before each line."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in found]
    return [
        f"2026-01-01T00:00:{number:02}.000000000Z {text}"
        for number, text in enumerate(texts)
    ]


def status(requests):
    return (
        "Active connections: 1 \nserver accepts handled requests\n"
        f" 5 5 {requests} \nReading: 0 Writing: 1 Waiting: 0 \n"
    )


def running(phase):
    return {"metadata": {"name": "m"}, "status": {"phase": phase}}


def script_of(log, counted=300, **changes):
    """Script a load that succeeds, except for the changed responses.

    :param counted: by both targets, of the requests of the load
    """
    service = {"metadata": {"name": "s"}, "spec": {"clusterIP": "10.0.0.1"}}
    script = {
        "/api/v1/namespaces": [{}],
        f"{BASE}/secrets": [{}],
        f"{BASE}/configmaps": [{}],
        f"{BASE}/services": [{}],
        f"{APPS}/deployments": [{}],
        f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs": [{}],
        f"{BASE}/services/{PREFIX}-target": [service],
        f"{BASE}/services/{PREFIX}-master": [service],
        f"{BASE}/pods?target": [TARGETS],
        f"{BASE}/pods?master": [MASTER],
        f"{BASE}/pods?worker": [WORKERS],
        f"{BASE}/pods": [{}],
        # The watch that times all pods.
        f"{BASE}/pods?1": [listed(), STARTED, []],
        f"{BASE}/pods/{PREFIX}-master/status": [running("Running")],
        f"{BASE}/pods/{PREFIX}-master/log": log,
        f"/api/v1/namespaces/{NAMESPACE}": [DONE],
        f"/api/v1/namespaces/{NAMESPACE}/status": [404],
    }
    for number in (1, 2):
        name = f"{PREFIX}-target-{number}"
        script[f"{BASE}/pods/{name}:8080/proxy/stub_status"] = [
            status(counted // 2 + 1)
        ]
        script[f"{BASE}/pods/{name}/exec"] = [403]
    return {**script, **changes}


class Run:
    """A load against a scripted API, run to its end or its error."""

    def __init__(self, script, spec=None, nodes=None):
        self.said = []
        self.error = None
        self.spec = spec or spec_of()
        ticks = iter(range(100000))
        with fake_api.serve(script) as (fake, cluster):
            self.load = load.Load(
                cluster,
                self.spec,
                nodes
                or [
                    node_list.Node("n1", True, False, 4.0),
                    node_list.Node("n2", True, False, 4.0),
                    node_list.Node("h1", True, True, 4.0),
                ],
                self.said.append,
                clock=lambda: float(next(ticks)),
            )
            try:
                if self.spec.pull_ahead:
                    self.load.pull()
                self.load.deploy()
                self.load.run()
            except exceptions.ScaleError as error:
                self.error = error
            self.load.remove()
        self.paths = [path for path, _ in fake.queries]
        self.posted = fake.posted
        self.written = self.load.all_records()
        self.found = records.collect(self.written)


def whole_log():
    return [[*log_of("Locust says something", *WINDOWS, end()), "END"]]


def test_a_load_runs_and_is_summed_up():
    run = Run(script_of(whole_log()))
    assert run.error is None
    assert [one["record"] for one in run.written] == [
        *["window"] * 3,
        "end",
        "throughput",
    ]
    summary = run.found.throughput
    assert (summary.targets, summary.workers) == (2, 1)
    assert summary.requests_counted_by_targets == 300
    # Three limits of a core on n1, one on n2; hollow nodes have none.
    assert (summary.cores_pods, summary.cores_real_nodes) == (4.0, 8.0)
    assert summary.cores_of == {"targets": 2.0, "generators": 2.0}
    assert not summary.cpus_seen
    assert summary.nodes_with_pods == 2
    assert summary.deploy_s > 0
    assert (summary.pull_s, summary.processes_per_worker) == (None, 1)
    (step,) = summary.steps
    assert (step.achieved_rps, step.reasons) == (100.0, [])
    kinds = [one["kind"] for one in run.posted]
    assert kinds[0] == "Namespace"
    assert kinds[-2:] == ["Pod", "Job"]


def page(pod, used_s, at_s):
    labels = f'{{namespace="{NAMESPACE}",pod="{PREFIX}-{pod}"}}'
    stamp = f"{at_s * 1000:.0f}"
    return (
        f"node_cpu_usage_seconds_total 9.5 {stamp}\n"
        f"pod_cpu_usage_seconds_total{labels} {used_s} {stamp}\n"
    )


def start(**changes):
    values = {
        "second": FIRST_SECOND,
        # Long ago, so that all reads are due.
        "written_s": FIRST_SECOND + 1000.0,
        "steps": [{"rate_rps": 100, "duration_s": 2, "ramp_s": 1}],
        "cpus": {"0-1": [f"{PREFIX}-worker-4"]},
    }
    return record("start", **{**values, **changes})


def node_pages(*pages):
    return {
        f"/api/v1/nodes/n{number}/proxy/metrics/resource": found
        for number, found in enumerate(pages, 1)
    }


def test_the_cpu_counters_of_the_nodes_are_read_when_the_load_begins():
    lines = [start(), *WINDOWS, end()]
    used = [{**one, "cpu_s": 0.25} for one in WINDOWS]
    pages = node_pages(
        [page("target-1", 1, FIRST_SECOND + 2)],
        [page("target-2", 2, FIRST_SECOND + 2)],
    )
    run = Run(
        script_of([[*log_of(lines[0], *used, lines[-1]), "END"]], **pages)
    )
    assert run.error is None
    assert set(pages) <= set(run.paths)
    (step,) = run.found.throughput.steps
    assert step.cpu_s["generators"] == 0.5
    # One reading of each counter is not enough for a figure.
    assert step.cpu_s["targets"] is None
    assert "too seldom" in step.cpu_missing


def test_nodes_that_refuse_their_counters_do_not_fail_the_load():
    log = [[*log_of(start(), *WINDOWS, end()), "END"]]
    run = Run(script_of(log, **node_pages([403], [403])))
    assert run.error is None
    (step,) = run.found.throughput.steps
    assert step.valid
    assert "403" in step.cpu_missing
    assert step.cpu_s["nodes"] is None


def test_usable_cores_are_those_that_the_workers_see():
    unlimited = pod("worker", 4)
    unlimited["spec"]["containers"][0]["resources"] = {}
    sees = start(cpus={"0,2": [f"{PREFIX}-worker-4"]})
    log = [[*log_of(sees, *WINDOWS, end()), "END"]]
    run = Run(
        script_of(
            log,
            **node_pages([403], [403]),
            **{f"{BASE}/pods?worker": [listed(unlimited)]},
        )
    )
    # Two that the worker sees, and the limit of the master.
    assert run.found.throughput.cores_of["generators"] == 3.0
    # Those of the targets are unknown: no command can be run in them.
    assert not run.found.throughput.cpus_seen
    assert any(
        line.startswith("can't read which processors the targets can use")
        and "403" in line
        for line in run.said
    )


def job_of(run):
    (master,) = [one for one in run.posted if one["kind"] == "Pod"]
    environment = master["spec"]["containers"][0]["env"]
    return Job.from_environ({one["name"]: one["value"] for one in environment})


def test_a_locust_file_of_the_user_is_deployed():
    text = "from locust import User\nclass Mine(User): pass\n"
    one = spec_of(plan=Plan((Step(None, 2, 1),)), locust_file=text, users=7)
    run = Run(script_of(whole_log()), one)
    (code,) = [
        each["data"]
        for each in run.posted
        if each["metadata"]["name"].endswith("-code")
    ]
    assert text in code.values()
    (master,) = [each for each in run.posted if each["kind"] == "Pod"]
    arguments = master["spec"]["containers"][0]["args"]
    assert "--users=7" in arguments
    assert run.found.throughput.users == 7
    assert run.found.windows


def test_targets_can_be_addressed_by_their_pod_addresses():
    run = Run(script_of(whole_log()), spec_of(target_address="pod"))
    assert job_of(run).addresses == ("10.1.0.1:8080", "10.1.0.2:8080")
    assert run.found.throughput.target_address == "pod"
    assert job_of(Run(script_of(whole_log()))).addresses == ()


def test_the_requests_path_is_recorded_without_its_query():
    spec = spec_of(
        request=request_spec.Request(method="POST", path="/echo?token=secret"),
        keep_alive=False,
        arrivals="poisson",
    )
    found = Run(script_of(whole_log()), spec).found.throughput
    assert found.asked == "POST /echo"
    assert (found.keep_alive, found.arrivals) == (False, "poisson")
    assert not found.tls


def daemonset(ready):
    status = {
        "observedGeneration": 1,
        "desiredNumberScheduled": 1,
        "numberReady": ready,
    }
    metadata = {"name": f"{PREFIX}-pull", "generation": 1}
    return {
        "metadata": {**metadata, "resourceVersion": "1"},
        "status": status,
    }


def pull_script(found):
    return script_of(
        whole_log(),
        **{
            f"{APPS}/daemonsets": [
                {},
                listed(daemonset(0)),
                listed(daemonset(1)),
            ],
            f"{APPS}/daemonsets/{PREFIX}-pull": [DONE],
            f"{BASE}/pods?pull": [found],
        },
    )


def test_images_are_pulled_first_and_timed_separately():
    secret = '{"auths": {}}'
    run = Run(
        pull_script(listed(pod("pull", 5))),
        spec_of(pull_ahead=True, image_pull_secret=secret),
    )
    assert run.error is None
    kinds = [one["kind"] for one in run.posted]
    assert kinds[:3] == ["Namespace", "Secret", "DaemonSet"]
    assert kinds.count("Namespace") == kinds.count("Secret") == 1
    assert f"{APPS}/daemonsets/{PREFIX}-pull" in run.paths
    summary = run.found.throughput
    assert summary.pull_s > 0
    assert summary.deploy_s > 0
    assert secret not in json.dumps(run.written)


def test_an_image_that_can_not_be_pulled_fails_with_the_registrys_message():
    waits = {"reason": "ImagePullBackOff", "message": "manifest unknown"}
    run = Run(
        pull_script(listed(pod("pull", 5, state={"waiting": waits}))),
        spec_of(pull_ahead=True),
    )
    assert isinstance(run.error, exceptions.WorkloadError)
    assert "manifest unknown" in str(run.error)
    assert run.written == []
    # What was made is removed all the same.
    assert run.paths[-1] == f"/api/v1/namespaces/{NAMESPACE}/status"


def test_a_locust_file_that_locust_refuses_fails_with_locusts_message():
    said = "locust_file: Locust finds no user class in it"
    event = record(
        "event",
        second=FIRST_SECOND,
        kind="locust_file_refused",
        detail=said,
    )
    refused = end(windows=0, requests=0, workers_connected=0, reasons=[said])
    # It ends as soon as it has reported this, before it was seen Ready.
    ended = pod("master", 3, state={"terminated": {}}, phase="Succeeded")
    script = script_of(
        [[*log_of(event, refused), "END"]],
        **{f"{BASE}/pods?master": [listed(ended)]},
    )
    one = spec_of(plan=Plan((Step(None, 2, 1),)), locust_file="", users=7)
    run = Run(script, one)
    assert isinstance(run.error, exceptions.WorkloadError)
    assert str(run.error) == f"The load in the bay b has no figures: {said}."
    assert f"locust_file_refused: {said}" in run.said


def test_a_master_that_dies_fails_the_load_with_the_end_of_its_log():
    log = [[*log_of(*WINDOWS[:2], "Killed"), "END"]]
    ended = {f"{BASE}/pods/{PREFIX}-master/status": [running("Failed")]}
    run = Run(script_of(log, **ended))
    assert isinstance(run.error, exceptions.WorkloadError)
    assert str(run.error).endswith("log ends with: Killed")
    # What was measured until then is kept, and not valid.
    assert len(run.found.windows) == 2
    (step,) = run.found.throughput.steps
    assert step.reasons


def test_a_master_whose_pod_is_gone_fails_the_load():
    gone = {f"{BASE}/pods/{PREFIX}-master/status": [404]}
    run = Run(script_of([404], **gone))
    assert isinstance(run.error, exceptions.WorkloadError)


def test_workers_that_never_connect_fail_the_load():
    reason = "1 of 1 workers did not connect within 300 s"
    event = record("event", second=0, kind="workers_missing", detail=reason)
    last = end(windows=0, requests=0, workers_connected=0, reasons=[reason])
    run = Run(script_of([[*log_of(event, last), "END"]]))
    assert isinstance(run.error, exceptions.WorkloadError)
    assert reason in str(run.error)
    assert f"workers_missing: {reason}" in run.said
    (step,) = run.found.throughput.steps
    assert reason in step.reasons


def test_targets_that_never_answer_fail_the_load():
    reason = "no request was answered as expected, only 7 timeout"
    last = end(requests=0, failures={"timeout": 7}, reasons=[reason])
    run = Run(script_of([[*log_of(*WINDOWS, last), "END"]]))
    assert isinstance(run.error, exceptions.WorkloadError)
    assert reason in str(run.error)
    assert len(run.found.windows) == 3


def test_workers_that_can_not_start_fail_the_load_at_once():
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    dead = [
        pod("worker", number, state=killed, phase="Failed")
        for number in (4, 5)
    ]
    run = Run(
        script_of(whole_log(), **{f"{BASE}/pods?worker": [listed(*dead)]})
    )
    assert isinstance(run.error, exceptions.WorkloadError)
    assert "OOMKilled" in str(run.error)


def test_workers_that_die_before_they_connect_fail_the_load():
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    dead = [
        pod("worker", number, state=killed, phase="Failed")
        for number in (4, 5)
    ]
    # Ready for a moment, and an API that is away for another.
    workers = [WORKERS, 500, listed(*dead)]
    # Locust keeps reporting that it waits for them.
    log = [log_of(*["waiting for workers"] * 50)]
    run = Run(script_of(log, **{f"{BASE}/pods?worker": workers}))
    assert isinstance(run.error, exceptions.WorkloadError)
    assert "OOMKilled" in str(run.error)


def test_a_follow_that_breaks_off_loses_no_window():
    lines = log_of(*WINDOWS, end())
    log = [lines[:1], [*lines[:2], lines[2][:30] + "~"], [*lines, "END"]]
    run = Run(script_of(log))
    assert run.error is None
    assert run.found.end.windows == len(run.found.windows) == 3


def test_a_load_that_does_not_end_exceeds_its_deadline():
    run = Run(
        script_of([log_of(*WINDOWS)]),
        spec_of(deadlines=load_spec.Deadlines(connect_s=1)),
    )
    assert isinstance(run.error, exceptions.DeadlineExceeded)
    assert len(run.found.windows) == 3


def test_the_count_of_targets_that_can_not_be_reached_is_unknown():
    path = f"{BASE}/pods/{PREFIX}-target-1:8080/proxy/stub_status"
    run = Run(script_of(whole_log(), **{path: [500]}))
    assert run.error is None
    assert run.found.throughput.requests_counted_by_targets is None
    assert any("targets' request counts" in line for line in run.said)


def test_nothing_is_created_in_a_bay_without_a_real_node():
    hollow = [node_list.Node("h", True, True, 4.0)]
    run = Run(script_of(whole_log()), nodes=hollow)
    assert isinstance(run.error, exceptions.KubernetesError)
    assert run.posted == []
    assert run.written == []


SEARCH = trials.Search(
    bounds={"p99_ms": 50}, start_rps=100, max_rps=100, step_s=2, ramp_s=1
)


def a_search():
    """The log of a search with one step that holds, and its confirmation."""
    done, found = [], []
    while trial := rate_search.next_trial(SEARCH, done):
        result = simulated_target.result(trial, 100.0, 0.9)
        done.append(trials.judge(SEARCH, trial, result))
        first = sum(one.ramp_s + one.duration_s for one in done[:-1])
        length = trial.ramp_s + trial.duration_s
        seconds = [
            record(
                "window",
                **{
                    **window(second),
                    "second": FIRST_SECOND + first + 3 * len(done) + second,
                    "step": trial.step,
                },
            )
            for second in range(length)
        ]
        found += [
            record("trial", **trial.to_json()),
            *seconds,
            record("trial", **done[-1].to_json()),
        ]
    return found


def test_a_load_that_the_targets_did_not_see_is_invalid():
    log = [[*log_of(start(), *WINDOWS, end()), "END"]]
    run = Run(script_of(log, counted=200))
    assert run.error is None
    (step,) = run.found.throughput.steps
    assert "but the targets have counted 200" in "; ".join(step.reasons)


def test_a_search_is_followed_and_concluded():
    log = a_search()
    last = end(
        windows=sum(one["record"] == "window" for one in log),
        requests=sum(one.get("requests", 0) for one in log),
        due=[200, 3000],
    )
    run = Run(
        script_of([[*log_of(*log, last), "END"]], counted=3400),
        spec_of(search=SEARCH),
    )
    assert run.error is None
    answer = run.found.max_rate
    assert answer.valid
    assert (answer.held_rps, answer.max_rate_rps) == (100, 100)
    assert answer.rps_per_core_real_nodes == 100 / 8
    assert [one.steady_s for one in run.found.throughput.steps] == [2, 30]
    assert answer.trials[1].purpose == trials.CONFIRM
    assert "step 1: 100 rps for 2 s after a ramp of 1 s" in run.said
    assert job_of(run).traffic.search == SEARCH
    # The results of the trials are in the result of the search.
    assert not any(one["record"] == "trial" for one in run.written)


def test_a_search_whose_master_dies_has_no_answer():
    log = a_search()[:4]
    ended = {f"{BASE}/pods/{PREFIX}-master/status": [running("Failed")]}
    script = script_of([[*log_of(*log, "Killed"), "END"]], **ended)
    run = Run(script, spec_of(search=SEARCH))
    assert isinstance(run.error, exceptions.WorkloadError)
    assert not run.found.max_rate.valid
    assert run.found.max_rate.max_rate_rps is None
    assert len(run.found.throughput.steps) == 1
