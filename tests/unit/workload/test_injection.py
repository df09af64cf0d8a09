"""A string in a task stays a string: it never becomes part of a manifest."""

import functools
import json
import re

import hypothesis
from hypothesis import strategies as st

from rally_magnum_scale.in_bay import request_spec
from rally_magnum_scale.in_bay.stats.records import Source
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import load_spec
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload import pod_options
from tests.unit import loads
from tests.unit.workload import rendered

HOSTILE = [
    *("'", '"', "\\", "a: b", "- a", "# a", "*a", "!!python/name:os.system"),
    *("null", "2026-12-01", "0x10", "\x00", "\x7f", "\x85", "\u2028"),
    *("\ufeff", "\U0001f600", "{{ spec }}", "{% raw %}", "$(touch /tmp/a)"),
    "\n---\nkind: Pod",
    '", "kind": "Pod',
    ";}\nserver { listen 1; }",
]
TEXTS = st.text(min_size=1, max_size=100) | st.sampled_from(HOSTILE)
# A prefix and an image are joined by one slash.
IMAGES = TEXTS.filter(lambda text: text == text.strip("/"))


def matching(pattern):
    return st.from_regex(pattern, fullmatch=True)


# A harmless value of each argument, which appears nowhere else, and the
# values that the argument allows.
ARGUMENTS = {
    "bay": ("harmless-bay", TEXTS),
    "locust_image": ("harmless-locust", IMAGES),
    "nginx_image": ("harmless-nginx", IMAGES),
    "new_image": ("harmless-update", IMAGES),
    "prefix": ("harmless-prefix", IMAGES),
    "pull_secret": (
        '{"auths": {"harmless": {}}}',
        TEXTS.map(
            lambda text: json.dumps({"auths": {text: {}}}, ensure_ascii=False)
        ),
    ),
    "locust_file": (
        "harmless_file = 1",
        TEXTS.map(lambda text: f"name = {text!r}"),
    ),
    "ca": ("harmless-ca", TEXTS),
    "certificate": ("harmless-certificate", TEXTS),
    "key": ("harmless-key", TEXTS),
    "run_by": ("harmless-run", TEXTS),
    "taint": ("harmless-taint", TEXTS),
    "taint_value": ("harmless-value", TEXTS),
    "label": ("harmless-label", matching(pod_options._LABEL_KEY)),
    "label_value": (
        "harmless-label-value",
        matching(pod_options._LABEL_VALUE),
    ),
    "cpu": ("54321m", matching(r"[1-9][0-9]*m?")),
    "max_surge": ("83%", matching(events._PERCENT)),
    "method": (
        "HARMLESS",
        matching(request_spec._TOKEN).filter(
            lambda text: text not in ("CONNECT", "TRACE")
        ),
    ),
    "path": ("/harmless-path", matching(request_spec._PATH)),
    "header": (
        "Harmless-Header",
        matching(request_spec._TOKEN).filter(
            lambda text: text.lower() not in request_spec.OURS
        ),
    ),
    "header_value": ("harmless-header-value", matching(request_spec._VALUE)),
    "body": ("harmless-body", TEXTS),
}
HARMLESS = {name: harmless for name, (harmless, _) in ARGUMENTS.items()}
STRINGS = st.fixed_dictionaries(
    {name: strings for name, (_, strings) in ARGUMENTS.items()}
)


def objects_of(given):
    """The objects of a load with these strings, its job as an object."""
    pods = {
        name: {
            "node_selector": {given["label"]: given["label_value"]},
            "limits": {"cpu": given["cpu"]},
            "tolerations": [
                {"key": given["taint"], "value": given["taint_value"]}
            ],
        }
        for name in pod_options.COMPONENTS
    }
    spec = loads.load_spec(
        Step(None, 10),
        source=Source(rendered.TASK, 7, given["bay"]),
        locust_image=given["locust_image"],
        nginx_image=given["nginx_image"],
        image_prefix=given["prefix"],
        image_pull_secret=given["pull_secret"],
        locust_file=given["locust_file"],
        users=1,
        tls=load_spec.TargetTls(
            given["ca"], given["certificate"], given["key"]
        ),
        run_by=given["run_by"],
        pods=pod_options.read_all(pods),
        update=events.RollingUpdate(
            nginx_image=given["new_image"], max_surge=given["max_surge"]
        ),
        request=request_spec.Request(
            given["method"],
            given["path"],
            {given["header"]: given["header_value"]},
            given["body"],
        ),
    )
    objects = [
        *rendered.every(spec),
        *manifests.targets(spec, "10.0.0.1", events.NEW_VERSION),
    ]
    (master,) = rendered.of_kind(objects, "Pod")
    for variable in master["spec"]["containers"][0]["env"]:
        if variable["name"] == "RMS_JOB":
            variable["value"] = json.loads(variable["value"])
    return objects


@functools.cache
def harmless_objects():
    return objects_of(HARMLESS)


def replaced(tree, strings):
    """The tree with each harmless string replaced by another one."""
    harmless = sorted(HARMLESS.items(), key=lambda item: -len(item[1]))
    names = {re.escape(value): name for name, value in harmless}
    pattern = re.compile("|".join(names))

    def walk(node):
        if isinstance(node, dict):
            return {walk(key): walk(value) for key, value in node.items()}
        if isinstance(node, list):
            return [walk(each) for each in node]
        if isinstance(node, str):
            return pattern.sub(
                lambda found: strings[names[re.escape(found[0])]], node
            )
        return node

    return walk(tree)


@hypothesis.given(STRINGS)
@hypothesis.settings(
    max_examples=20,
    # The strings are short, and to shrink them would take minutes.
    phases=[hypothesis.Phase.generate],
)
def test_every_string_arrives_unchanged_and_changes_nothing_else(strings):
    assert objects_of(strings) == replaced(harmless_objects(), strings)


def test_every_harmless_string_is_in_the_manifests_but_not_in_nginx_conf():
    objects = harmless_objects()
    text = json.dumps(objects)
    for value in HARMLESS.values():
        assert json.dumps(value)[1:-1] in text
    confs = [
        one["data"]["nginx.conf"]
        for one in rendered.of_kind(objects, "ConfigMap")
        if "nginx.conf" in one["data"]
    ]
    assert len(confs) == 2
    for value in HARMLESS.values():
        assert value not in "".join(confs)
