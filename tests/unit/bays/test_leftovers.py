"""Leftovers of crashed runs are found by name and owner, and removed."""

import contextlib
import datetime

import pytest
from keystoneauth1 import noauth
from keystoneauth1 import session

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import leftovers
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import listing
from tests.unit import loopback

DEAD = "0a1b2c3d-1111-1111-1111-111111111111"
MINE = ["rms-0a1b2c3d-aaaaaaaa", "rms-0a1b2c3d-bbbbbbbb"]
OTHERS = [
    "rms-ffffffff-aaaaaaaa",
    "production",
    "rms-0a1b2c3d-kept",
    "kept-0a1b2c3d-aaaaaaaa",
    "rms-frontend-database",
    None,
]


class Cloud:
    """Clusters and templates of all projects, as Magnum shows them."""

    def __init__(self, names=(), templates=()):
        self.clusters = {f"c-{name}": name for name in names}
        self.templates = {f"t-{name}": name for name in templates}
        self.requests = []
        self.forbidden = False
        self.late = []
        self.refusals = 0
        self.stuck = {}
        self.page = 1000

    def answer(self, method, path, _body):
        self.requests.append((method, path))
        plain, _, query = path.partition("?")
        kind, _, uuid = plain.strip("/").partition("/")
        if uuid == "detail":
            return self._list(kind, query)
        return self._one(kind, uuid, method)

    def _list(self, kind, query):
        if self.forbidden:
            message = "Policy doesn't allow cluster:detail_all_projects"
            return 403, {"errors": [{"status": 403, "title": message}]}
        if self.refusals:
            self.refusals -= 1
            message = "Invalid input for field/attribute master_count"
            return 400, {"errors": [{"status": 400, "title": message}]}
        marker = dict(p.split("=") for p in query.split("&")).get("marker")
        known = self.clusters if kind == "clusters" else self.templates
        uuids = list(known)
        if marker:
            uuids = uuids[uuids.index(marker) + 1 :]
        shown = [self._show(u, known[u]) for u in uuids[: self.page]]
        if kind == "clusters" and self.late:
            self.clusters |= {f"c-{n}": n for n in self.late.pop(0)}
        return 200, {kind: shown}

    def _one(self, kind, uuid, method):
        known = self.clusters if kind == "clusters" else self.templates
        if uuid not in known:
            return 404, {"errors": [{"status": 404, "title": "gone"}]}
        if method == "DELETE" and uuid not in self.stuck:
            del known[uuid]
            return 204, None
        if method == "DELETE":
            return 204, None
        statuses = self.stuck.get(uuid)
        status = statuses.pop(0) if statuses else "DELETE_FAILED"
        if status == 404:
            del known[uuid]
            return 404, {"errors": [{"status": 404, "title": "gone"}]}
        return 200, self._show(uuid, known[uuid], status)

    def _show(self, uuid, name, status="CREATE_COMPLETE"):
        return {
            "uuid": uuid,
            "name": name,
            "status": status,
            "status_reason": "port in use",
            "node_count": 3,
            "project_id": "p-1",
            "created_at": "2026-01-01T10:00:00+00:00",
        }

    def deleted(self):
        return [path for method, path in self.requests if method == "DELETE"]


@contextlib.contextmanager
def opened(cloud):
    log = []
    now = [0.0]

    def sleep(seconds):
        interruption.check()
        now[0] += seconds

    with loopback.serve(cloud.answer) as url:
        own = session.Session(auth=noauth.NoAuth(endpoint=url))
        with own.session:
            magnum = lifecycle.connect(own, None, "public")
            found = leftovers.Leftovers(
                magnum, log.append, clock=lambda: now[0], sleep=sleep
            )
            found.log = log
            yield found


def test_objects_with_names_of_this_package_are_found_for_all_owners():
    cloud = Cloud([*MINE, *OTHERS])
    with opened(cloud) as found:
        shown = found.bays()
    assert [bay.name for bay in shown] == [*MINE, "rms-ffffffff-aaaaaaaa"]
    assert {bay.project for bay in shown} == {"p-1"}
    assert {bay.nodes for bay in shown} == {3}


def test_bays_that_are_kept_are_found_apart():
    with opened(Cloud([*MINE, *OTHERS])) as found:
        shown = found.kept_bays()
    assert [bay.name for bay in shown] == ["kept-0a1b2c3d-aaaaaaaa"]


def test_a_list_of_many_pages_is_read_to_its_end(monkeypatch):
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    cloud = Cloud([f"rms-0a1b2c3d-{n:08}" for n in range(5)])
    cloud.page = 2
    with opened(cloud) as found:
        assert len(found.bays()) == 5


def test_only_bays_and_templates_of_a_crashed_run_are_removed():
    cloud = Cloud([*MINE, *OTHERS], [*MINE, *OTHERS])
    with opened(cloud) as found:
        assert found.remove_of([DEAD]) == []
    assert set(cloud.clusters.values()) == set(OTHERS)
    assert set(cloud.templates.values()) == set(OTHERS)
    kinds = [path.split("/")[1] for path in cloud.deleted()]
    assert kinds == ["clusters"] * 2 + ["clustertemplates"] * 2
    assert any("gone after" in line for line in found.log)


def test_a_bay_that_appears_late_is_removed_too():
    cloud = Cloud(MINE[:1])
    cloud.late = [[MINE[1]]]
    with opened(cloud) as found:
        assert found.remove_of([DEAD]) == []
    assert cloud.clusters == {}


def test_removal_is_given_up_when_bays_keep_appearing():
    cloud = Cloud(MINE[:1])
    cloud.late = [[f"rms-0a1b2c3d-{n:08}"] for n in range(20)]
    with opened(cloud) as found:
        (sentence,) = found.remove_of([DEAD])
    assert "still bays of a dead run" in sentence


def test_a_bay_that_can_not_be_removed_is_named_and_keeps_its_template():
    cloud = Cloud(MINE, MINE)
    cloud.stuck = {f"c-{MINE[0]}": []}
    with opened(cloud) as found:
        (sentence,) = found.remove_of([DEAD])
    assert "port in use" in sentence
    assert f"openstack coe cluster delete c-{MINE[0]}" in sentence
    assert list(cloud.clusters.values()) == MINE[:1]
    assert list(cloud.templates.values()) == MINE


def test_a_delete_is_retried_when_an_earlier_failure_still_shows():
    cloud = Cloud(MINE[:1])
    cloud.stuck = {f"c-{MINE[0]}": ["DELETE_FAILED", 404]}
    with opened(cloud) as found:
        assert found.remove_of([DEAD]) == []
    assert len(cloud.deleted()) == 2


def test_a_list_that_the_policy_forbids_names_the_missing_rules():
    cloud = Cloud(MINE)
    cloud.forbidden = True
    with opened(cloud) as found:
        (sentence,) = found.remove_of([DEAD])
        with pytest.raises(exceptions.NotAllowed):
            found.bays()
    for rule in ("detail_all_projects", "delete_all_projects"):
        assert f"cluster:{rule}" in sentence


def test_a_list_that_fails_during_another_create_is_retried():
    cloud = Cloud(MINE)
    cloud.refusals = listing.ATTEMPTS - 1
    with opened(cloud) as found:
        assert found.remove_of([DEAD]) == []
    assert cloud.clusters == {}


def test_a_list_that_is_always_refused_is_given_up():
    cloud = Cloud(MINE)
    cloud.refusals = 1000
    with opened(cloud) as found:
        (sentence,) = found.remove_of([DEAD])
    assert "refused to list the clusters" in sentence
    assert len(cloud.requests) == listing.ATTEMPTS


def test_an_interruption_ends_the_removal():
    cloud = Cloud(MINE)
    cloud.stuck = {f"c-{name}": ["DELETE_IN_PROGRESS"] * 999 for name in MINE}
    handlers = interruption.install()
    try:
        interruption._note(2, None)
        with (
            opened(cloud) as found,
            pytest.raises(exceptions.Interrupted),
        ):
            found.remove_of([DEAD])
    finally:
        interruption.install()
        interruption.restore(handlers)
    assert len(cloud.clusters) == 2


@pytest.mark.parametrize(
    ("created", "age"),
    [
        ("2026-01-01T10:00:00+00:00", "90 minutes old"),
        ("2026-01-01T10:00:00", "90 minutes old"),
        ("2025-12-30T11:30:00+00:00", "48 hours old"),
        ("2027-01-01T10:00:00+00:00", "0 minutes old"),
        ("", "of unknown age"),
    ],
)
def test_the_age_is_returned_in_words(created, age):
    bay = leftovers.Leftover("u", MINE[0], "0a1b2c3d", "p", created)
    now = datetime.datetime(2026, 1, 1, 11, 30, tzinfo=datetime.UTC)
    assert bay.age(now) == age
