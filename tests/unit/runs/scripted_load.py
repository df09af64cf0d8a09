"""A load against a scripted Kubernetes API."""

import json

from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.runs import load
from tests.unit import loads
from tests.unit.kube import fake_api

NAMESPACE = "rms-12345678-1-load"
BASE = f"/api/v1/namespaces/{NAMESPACE}"
APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
PREFIX = "rms-12345678-1"
READY = [{"type": "Ready", "status": "True"}]
FIRST_SECOND = 1_000_000
DONE = {"kind": "Status", "status": "Success"}


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

    def __init__(self, script, spec=None, nodes=None, injector=None):
        self.log = []
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
                self.log.append,
                injector,
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


def job_of(run):
    (master,) = [one for one in run.posted if one["kind"] == "Pod"]
    environment = master["spec"]["containers"][0]["env"]
    return Job.from_environ({one["name"]: one["value"] for one in environment})
