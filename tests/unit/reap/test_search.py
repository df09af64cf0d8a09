"""What runs left is found by the names of objects, and nothing else is."""

import re

import hypothesis
import pytest
from hypothesis import strategies

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import reading
from rally_magnum_scale.reap import findings
from rally_magnum_scale.reap import search
from tests.unit.reap import fake_cloud
from tests.unit.reap import test_findings
from tests.unit.task import fake_tenants

RUN = "0a1b2c3d"
BAY = "11111111-1111-1111-1111-111111111111"

pytestmark = pytest.mark.filterwarnings(
    # keystoneauth leaves it to the interpreter to close a connection.
    "ignore:unclosed:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def found(cloud, **platform):
    platform = platform or {"admin": fake_tenants.credentials(cloud)}
    return search.search(platform, lambda _: None)


def names(shown):
    return {each.kind: each.name for each in shown.objects}


def test_all_kinds_of_a_run_are_found(cloud):
    left = cloud.leave(RUN)
    shown = found(cloud)
    assert names(shown) == left
    assert {each.run for each in shown.objects} == {RUN}
    assert {each.project for each in shown.objects} == {left["project"]}
    dated = {each.kind for each in shown.objects if each.created_at}
    assert dated == {"bay", "bay template", "keypair"}
    assert shown.problems == []


def test_nothing_is_there(cloud):
    assert found(cloud) == search.SearchResult()


def test_a_kept_bay_is_found_and_marked(cloud):
    cloud.add("clusters", f"kept-{RUN}-aaaaaaaa")
    (bay,) = found(cloud).objects
    assert bay.kept
    assert bay.run == RUN


OTHERS = [
    "production",
    "rms-frontend-database",
    f"my-rms-{RUN}-aaaaaaaa",
    f"rms-{RUN}-aaaaaaaa-2",
    f"rms-{RUN}-AAAAAAAA",
    f"RMS-{RUN}-aaaaaaaa",
    f"rms-{RUN}_aaaaaaaa",
    f"rms-{RUN}-aaaaaaaa\n",
    f"kept-{RUN}-",
    f"c_rally_{RUN}_short",
    f"c_rally_{RUN}_User0001x",
    f"c_rally_{RUN}_User0001\n",
    "c_rally_Frontend_Database",
    f"s_rally_{RUN}_User0001",
    f"xc_rally_{RUN}_User0001",
]


@pytest.mark.parametrize("kind", ["clusters", "clustertemplates"])
def test_objects_of_other_people_with_similar_names_are_not_found(cloud, kind):
    for name in OTHERS:
        cloud.add(kind, name)
    cloud.add("clusters", "labelled", labels={"managed-by": "rally"})
    assert found(cloud).objects == []


def test_tenants_of_other_people_with_similar_names_are_not_found(cloud):
    for name in OTHERS:
        cloud.add("users", name)
        cloud.add("projects", name)
    cloud.leave(RUN)
    (user,) = cloud.keypairs
    cloud.keypairs[user] += [*OTHERS, "c_rally_ffffffff_Keypair1"]
    assert len(found(cloud).objects) == len(findings.KINDS)


def test_no_object_of_other_people_is_ever_selected(cloud):
    @hypothesis.settings(max_examples=20)
    @hypothesis.given(strategies.sets(test_findings.NEAR, max_size=20))
    def check(given):
        exact = re.compile(
            r"\A((rms|kept)-[0-9a-f]{8}-[0-9a-z]{8}"
            r"|c_rally_[0-9a-f]{8}_[0-9A-Za-z]{8})\Z"
        )
        for kind in cloud.objects:
            cloud.objects[kind] = {}
            for name in given:
                label = {"owner": "someone"}
                if not exact.match(name):
                    cloud.add(kind, name or "?", labels=label)
        assert found(cloud).objects == []

    check()


def test_a_trustee_is_found_once_its_bay_is_gone(cloud):
    cloud.leave(RUN)
    project = "b" * 32
    cloud.add("projects", f"c_rally_{RUN}_Project2", id=project)
    cloud.add("users", f"{BAY}_{project}")
    cloud.add("users", f"{BAY}_{'c' * 32}")
    cloud.add("users", f"someone_{project}")
    trustees = [e for e in found(cloud).objects if "BAY" in e.form]
    assert [each.name for each in trustees] == [f"{BAY}_{project}"]
    assert trustees[0].run == RUN
    cloud.add("clusters", "theirs", uuid=BAY)
    assert not [e for e in found(cloud).objects if "BAY" in e.form]


@pytest.mark.parametrize(
    ("path", "missing", "words"),
    [
        ("/clusters", {"bay"}, "list the bays: Magnum does not let"),
        ("/clustertemplates", {"bay template"}, "list the bay templates"),
        ("/v3/projects", {"project"}, "list the projects: Keystone"),
        ("/v3/users", {"user", "keypair"}, "list the users: Keystone"),
        ("/compute", {"keypair"}, "keypairs of Rally's users: Nova"),
    ],
)
def test_what_a_service_does_not_show_is_told_and_the_rest_found(
    cloud, path, missing, words
):
    cloud.leave(RUN)
    cloud.refuse.add(path)
    shown = found(cloud)
    assert set(names(shown)) == set(findings.KINDS) - missing
    assert any(words in problem for problem in shown.problems)


def test_without_nova_there_are_no_keypairs(cloud):
    cloud.leave(RUN)
    del cloud.services["compute"]
    shown = found(cloud)
    assert set(names(shown)) == set(findings.KINDS) - {"keypair"}
    assert shown.problems == []


def test_users_of_the_environment_see_their_own_projects(cloud):
    cloud.leave(RUN)
    cloud.keypairs["u"] = [f"c_rally_{RUN}_Keypair2", "mine"]
    login = fake_tenants.credentials(cloud)
    shown = found(cloud, users=[login, login])
    assert sorted(e.kind for e in shown.objects) == [
        "bay",
        "bay template",
        "keypair",
    ]
    assert names(shown)["keypair"] == f"c_rally_{RUN}_Keypair2"


def test_a_user_who_can_not_log_in_is_told(cloud):
    gone = fake_tenants.credentials(fake_cloud.FakeCloud())
    gone |= {"auth_url": "http://127.0.0.1:1/v3", "username": "lost"}
    admin = fake_tenants.credentials(cloud)
    cloud.leave(RUN)
    shown = found(cloud, admin=admin, users=[gone])
    assert "Could not log in as lost" in shown.problems[0]
    assert len(shown.objects) == len(findings.KINDS)
    with pytest.raises(reading.Unreadable, match="lost"):
        found(cloud, users=[gone])


def test_an_environment_without_a_cloud(cloud):
    with pytest.raises(exceptions.InvalidInput, match="no OpenStack cloud"):
        found(cloud, admin=None)
