"""From an openrc file or clouds.yaml to the settings of a cloud."""

import traceback

import pytest
import yaml

from rally_magnum_scale import exceptions
from rally_magnum_scale.nightly import cloud_descriptions

AUTH = {
    "auth_url": "https://cloud:5000/v3",
    "username": "admin",
    "password": "se'cret $HOME",
    "project_name": "admins",
}
VARIABLES = {f"OS_{name.upper()}": value for name, value in AUTH.items()}


def of_variables(**more):
    return cloud_descriptions.of_variables(VARIABLES | more, "the file")


@pytest.fixture
def of_clouds_yaml(tmp_path, monkeypatch):
    """Read a cloud that has some settings in clouds.yaml."""
    path = tmp_path / "clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    for name in ("OS_CLOUD", "OS_CLOUD_NAME", "OS_AUTH_URL"):
        monkeypatch.delenv(name, raising=False)

    def read(settings, region="", name="mine"):
        path.write_text(yaml.safe_dump({"clouds": {"mine": settings}}))
        return cloud_descriptions.of_clouds_yaml(name, region)

    return read


def test_both_sources_are_read_alike(of_clouds_yaml):
    one = of_variables(OS_REGION_NAME="R", OS_ENDPOINT_TYPE="internalURL")
    other = of_clouds_yaml(
        {"auth": AUTH, "region_name": "R", "endpoint_type": "internalURL"}
    )
    for name in (*AUTH, "region_name", "interface"):
        assert one.text(name) == other.text(name)
    assert one.values["interface"] == "internalURL"


def test_a_setting_is_named_as_the_user_wrote_it(of_clouds_yaml):
    one = of_variables(OS_TENANT_ID="x", OS_MANILA_ENDPOINT_TYPE="x")
    assert one.key("project_id") == "OS_TENANT_ID"
    assert one.key("manila_interface") == "OS_MANILA_ENDPOINT_TYPE"
    assert one.key("user_domain_id") == "OS_USER_DOMAIN_ID"
    other = of_clouds_yaml({"auth": {"tenant-id": "x", "domain_id": "y"}})
    assert other.key("project_id") == "tenant_id"
    assert other.key("user_domain_id") == "domain_id"
    message = str(other.refused("project_id", "Why."))
    assert message == "cloud.clouds_yaml: mine has tenant_id. Why."


def test_variables_of_the_night_are_not_those_of_the_file(monkeypatch):
    monkeypatch.setenv("OS_PROJECT_ID", "other")
    monkeypatch.setenv("OS_CLOUD", "other")
    assert "project_id" not in of_variables().values


def test_braces_in_a_name_stay():
    values = of_variables(OS_USERNAME="a{b", OS_PASSWORD="{}").values
    assert (values["username"], values["password"]) == ("a{b", "{}")


@pytest.mark.parametrize(
    ("value", "insecure"),
    [("true", True), ("1", True), ("Yes", True), ("0", False), ("no", False)],
)
def test_insecure_has_the_values_that_rally_knows(value, insecure):
    assert of_variables(OS_INSECURE=value).values["insecure"] is insecure


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"OS_INSECURE": "maybe"}, "has OS_INSECURE. Give true or false, not"),
        ({"OS_CLOUD": "x"}, "has OS_CLOUD. Give the name of a cloud in cl"),
        ({"OS_FOO": "{x}"}, "can't be read by openstacksdk: KeyError. Corr"),
        ({"OS_NETWORKS": "x"}, "can't be read by openstacksdk: AttributeErr"),
    ],
)
def test_unreadable_variables_are_refused(variables, why):
    with pytest.raises(exceptions.InvalidInput, match=f"^the file {why}"):
        of_variables(**variables)


def test_an_openrc_file_may_set_up_the_profiler(tmp_path):
    path = tmp_path / "openrc"
    path.write_text(
        "export OS_USERNAME=admin OSPROFILER_HMAC_KEY=key OSPROFILER_X=1\n"
        "export OSPROFILER_CONN_STR=redis://host\n"
    )
    found = cloud_descriptions.of_openrc(path, lambda line: None)
    assert found.where == f"cloud.openrc: {path}"
    assert found.values["username"] == "admin"
    assert found.profiler == {
        "profiler_hmac_key": "key",
        "profiler_conn_str": "redis://host",
    }


def test_a_cloud_that_is_not_in_clouds_yaml_is_refused(
    of_clouds_yaml, tmp_path, monkeypatch
):
    with pytest.raises(
        exceptions.InvalidInput,
        match=f"^cloud.clouds_yaml: other is not a cloud in {tmp_path}/clo",
    ):
        of_clouds_yaml({"auth": AUTH}, name="other")
    # This is openstacksdk's name for the cloud of the environment.
    monkeypatch.setenv("OS_AUTH_URL", "https://other")
    with pytest.raises(
        exceptions.InvalidInput, match="envvars is not a cloud"
    ):
        of_clouds_yaml({"auth": AUTH}, name="envvars")


@pytest.mark.parametrize("settings", [None, [], "x", {"auth": None}])
def test_a_cloud_without_settings_is_refused(of_clouds_yaml, settings):
    with pytest.raises(
        exceptions.InvalidInput, match="mine has no settings or an empty"
    ):
        of_clouds_yaml(settings)


def test_a_cloud_that_openstacksdk_refuses_is_refused(of_clouds_yaml):
    with pytest.raises(
        exceptions.InvalidInput, match="mine can't be read by openstacksdk: "
    ):
        of_clouds_yaml({"auth": AUTH, "networks": [{}]})


@pytest.mark.parametrize("secret", ["{hunter2}", "{0[hunter2]}", "{:hunter2"])
def test_a_secret_with_braces_is_not_repeated(of_clouds_yaml, secret):
    settings = {"auth": AUTH, "application_credential_secret": secret}
    with pytest.raises(exceptions.InvalidInput) as caught:
        of_clouds_yaml(settings)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


REGIONS = ["A", {"name": "B", "values": {"interface": "admin"}}]


def test_one_of_several_regions_must_be_chosen(of_clouds_yaml):
    several = {"auth": AUTH, "regions": REGIONS}
    with pytest.raises(
        exceptions.InvalidInput,
        match="mine has the regions A, B. Choose one with `cloud.region`",
    ):
        of_clouds_yaml(several)
    with pytest.raises(exceptions.InvalidInput, match="Valid choices are A,B"):
        of_clouds_yaml(several, region="C")
    values = of_clouds_yaml(several, region="B").values
    assert (values["region_name"], values["interface"]) == ("B", "admin")


@pytest.mark.parametrize(
    ("settings", "region"),
    [({"regions": ["A"]}, ""), ({"region_name": "A"}, ""), ({}, "A")],
)
def test_a_single_region_need_not_be_chosen(of_clouds_yaml, settings, region):
    found = of_clouds_yaml({"auth": AUTH, **settings}, region)
    assert found.values["region_name"] == "A"


def test_a_file_without_clouds_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "clouds.yaml"
    path.write_text("[1]")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    with pytest.raises(
        exceptions.InvalidInput, match="clouds.yaml is empty or not a valid"
    ):
        cloud_descriptions.of_clouds_yaml("mine", "")


def test_text_must_be_text(of_clouds_yaml):
    # YAML takes this for a boolean.
    cloud = of_clouds_yaml({"auth": AUTH | {"password": True}})
    with pytest.raises(
        exceptions.InvalidInput, match="has password. It is no"
    ):
        cloud.text("password")
