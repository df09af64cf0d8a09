"""A load in tests, and the objects of its manifests."""

from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.stats.records import Source
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload import pod_options
from tests.unit import loads

TASK = "3F2A9B7C-1111-2222-3333-444455556666"
SOURCE = Source(TASK, 7, 'bay "ü" <1>')


def spec(**changes):
    values = {"targets": 3, "workers": 2, **changes}
    if "pods" in values:
        values["pods"] = pod_options.read_all(values["pods"])
    return loads.load_spec(
        Step(1000, 10, 2), Step(None, 5), source=SOURCE, **values
    )


def every(one):
    return [
        *manifests.namespace(one),
        manifests.puller(one),
        *manifests.foundation(one),
        *manifests.targets(one, "10.0.0.1"),
        *manifests.load(one, target_ip="10.0.0.1", master_ip="10.0.0.2"),
    ]


def of_kind(objects, kind):
    return [one for one in objects if one["kind"] == kind]


def pod_specs(objects):
    return [
        one["spec"]
        if one["kind"] == "Pod"
        else one["spec"]["template"]["spec"]
        for one in objects
        if one["kind"] in ("Pod", "Job", "Deployment", "DaemonSet")
    ]


def job_of(objects):
    (master,) = of_kind(objects, "Pod")
    environment = {
        one["name"]: one["value"]
        for one in master["spec"]["containers"][0]["env"]
    }
    return Job.from_environ(environment)
