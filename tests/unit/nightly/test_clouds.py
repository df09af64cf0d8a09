"""From a cloud's name to what Rally's environment is made from."""

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.nightly import clouds

ADMIN = {
    "username": "admin",
    "password": "se'cret $HOME",
    "project_name": "admins",
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}
VARIABLES = {
    "OS_AUTH_URL": "https://cloud:5000/v3",
    "OS_USERNAME": "admin",
    "OS_PASSWORD": "se'cret $HOME",
    "OS_PROJECT_NAME": "admins",
}


def cloud_of(spec):
    return spec["existing@openstack"]


def test_an_openrc_file_is_read_as_a_shell_does(tmp_path):
    path = tmp_path / "openrc"
    path.write_text(
        "export OS_AUTH_URL=https://cloud:5000/v3 OTHER=1\n"
        "export OS_USERNAME=admin OS_PROJECT_NAME=admins\n"
        "echo noise\n"
        "export OS_PASSWORD='se'\\''cret $HOME'\n"
    )
    assert clouds.read_openrc(path) == VARIABLES


@pytest.mark.parametrize(
    "text",
    ["read -r OS_PASSWORD", "exit 1", "OS_X=$NOT_SET", 'fi"'],
)
def test_an_openrc_file_that_asks_or_fails_is_told(tmp_path, text):
    path = tmp_path / "openrc"
    path.write_text(text)
    with pytest.raises(exceptions.InvalidInput, match="can't be sourced by"):
        clouds.read_openrc(path)


def test_variables_make_rallys_administrator():
    more = {"OS_REGION_NAME": "R", "OS_CACERT": "/ca", "OS_INTERFACE": "admin"}
    found = cloud_of(clouds.of_variables(VARIABLES | more))
    assert found == {
        "auth_url": "https://cloud:5000/v3",
        "admin": ADMIN,
        "endpoint_type": "admin",
        "region_name": "R",
        "https_cacert": "/ca",
    }


def test_a_missing_variable_is_named():
    few = VARIABLES | {"OS_PASSWORD": "", "OS_USERNAME": ""}
    with pytest.raises(
        exceptions.InvalidInput, match="OS_USERNAME, OS_PASSWORD is not set"
    ):
        clouds.of_variables(few)


@pytest.fixture
def clouds_yaml(tmp_path, monkeypatch):
    path = tmp_path / "clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    for name in ("OS_CLOUD", "OS_AUTH_URL"):
        monkeypatch.delenv(name, raising=False)

    def write(**auth):
        lines = "".join(f"      {k}: {v}\n" for k, v in auth.items())
        path.write_text(
            f"clouds:\n  mine:\n    auth:\n{lines}    region_name: R\n"
        )

    return write


def test_a_cloud_of_clouds_yaml_makes_rallys_administrator(clouds_yaml):
    clouds_yaml(
        auth_url="https://cloud:5000/v3",
        username="admin",
        password="'se''cret $HOME'",
        project_name="admins",
        project_domain_name="Other",
    )
    found = cloud_of(clouds.of_clouds_yaml("mine"))
    assert found["admin"] == ADMIN | {"project_domain_name": "Other"}
    assert found["region_name"] == "R"


def test_a_cloud_that_is_not_there_or_not_enough_is_told(clouds_yaml):
    clouds_yaml(auth_url="https://cloud:5000/v3", username="admin")
    with pytest.raises(exceptions.InvalidInput, match="clouds_yaml: Cloud ot"):
        clouds.of_clouds_yaml("others")
    with pytest.raises(
        exceptions.InvalidInput, match="mine has no password, project_name;"
    ):
        clouds.of_clouds_yaml("mine")
