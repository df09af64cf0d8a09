"""From the settings of a cloud to what Rally's environment is made from."""

import jsonschema
import pytest
import yaml
from rally_openstack.environment.platforms import existing

from rally_magnum_scale import exceptions
from rally_magnum_scale.nightly import cloud_descriptions
from rally_magnum_scale.nightly import cloud_spec
from tests.unit.nightly.test_cloud_descriptions import AUTH
from tests.unit.nightly.test_cloud_descriptions import VARIABLES

ADMIN = {
    "username": "admin",
    "password": "se'cret $HOME",
    "project_name": "admins",
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}
CLOUD = {
    "auth_url": "https://cloud:5000/v3",
    "admin": ADMIN,
    "endpoint_type": "public",
}


@pytest.fixture
def logged():
    return []


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """Run in the home of a user with some files for TLS."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch()


@pytest.fixture
def make(logged):
    """Make Rally's description, as Rally allows it."""

    def make_it(cloud):
        (found,) = cloud_spec.make(cloud, logged.append).items()
        platform, spec = found
        assert platform == existing.OpenStack.get_fullname()
        jsonschema.validate(spec, existing.OpenStack.CONFIG_SCHEMA)
        return spec

    return make_it


@pytest.fixture
def of_variables(make):
    def of_them(**changes):
        variables = {k: v for k, v in (VARIABLES | changes).items() if v}
        return make(cloud_descriptions.of_variables(variables, "the file"))

    return of_them


@pytest.fixture
def of_clouds_yaml(make, tmp_path, monkeypatch):
    path = tmp_path / "clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    for name in ("OS_CLOUD", "OS_CLOUD_NAME"):
        monkeypatch.delenv(name, raising=False)

    def of_it(auth=(), **settings):
        cloud = {"auth": AUTH | dict(auth), **settings}
        cloud["auth"] = {k: v for k, v in cloud["auth"].items() if v}
        path.write_text(yaml.safe_dump({"clouds": {"mine": cloud}}))
        return make(cloud_descriptions.of_clouds_yaml("mine", ""))

    return of_it


def of_domains(user, project):
    names = {"user_domain_name": user, "project_domain_name": project}
    return {"admin": ADMIN | names}


@pytest.mark.parametrize(
    ("variables", "changes"),
    [
        ({}, {}),
        ({"OS_REGION_NAME": "R"}, {"region_name": "R"}),
        # The interface.
        ({"OS_INTERFACE": "internal"}, {"endpoint_type": "internal"}),
        ({"OS_INTERFACE": "adminURL"}, {"endpoint_type": "admin"}),
        ({"OS_ENDPOINT_TYPE": "internalURL"}, {"endpoint_type": "internal"}),
        ({"OS_ENDPOINT_TYPE": "public"}, {}),
        (
            {"OS_ENDPOINT_TYPE": "internalURL", "OS_INTERFACE": "internal"},
            {"endpoint_type": "internal"},
        ),
        (
            {"OS_INTERFACE": "admin", "OS_MANILA_ENDPOINT_TYPE": "adminURL"},
            {"endpoint_type": "admin"},
        ),
        (
            {"OS_REGION_NAME": "R", "OS_COMPUTE_REGION_NAME": "R"},
            {"region_name": "R"},
        ),
        ({"OS_INSECURE": "1"}, {"https_insecure": True}),
        ({"OS_INSECURE": "false"}, {}),
        # The user, the project and their domains.
        ({"OS_PROJECT_NAME": "", "OS_TENANT_NAME": "admins"}, {}),
        ({"OS_TENANT_NAME": "admins"}, {}),
        (
            {"OS_USER_DOMAIN_NAME": "U", "OS_PROJECT_DOMAIN_NAME": "P"},
            of_domains("U", "P"),
        ),
        ({"OS_DOMAIN_NAME": "D"}, of_domains("D", "D")),
        ({"OS_DEFAULT_DOMAIN_NAME": "D"}, of_domains("D", "D")),
        (
            {"OS_DEFAULT_DOMAIN_NAME": "D", "OS_USER_DOMAIN_ID": "default"},
            of_domains("Default", "D"),
        ),
        (
            {
                "OS_PROJECT_DOMAIN_ID": "default",
                "OS_USER_DOMAIN_ID": "default",
            },
            {},
        ),
        ({"OS_AUTH_TYPE": "v3password"}, {}),
        ({"OS_AUTH_PLUGIN": "password", "OS_IDENTITY_API_VERSION": "3"}, {}),
        ({"OS_AUTH_URL": "http://[::1]/"}, {"auth_url": "http://[::1]/"}),
    ],
)
def test_variables_make_rallys_administrator(
    of_variables, logged, variables, changes
):
    assert of_variables(**variables) == CLOUD | changes
    assert logged == []


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"OS_CACERT": "~/ca.pem"}, {"https_cacert": "ca.pem"}),
        ({"OS_CACERT": "ca.pem"}, {"https_cacert": "ca.pem"}),
        ({"OS_CERT": "cert.pem"}, {"https_cert": "cert.pem"}),
        (
            {"OS_CERT": "cert.pem", "OS_KEY": "~/key.pem"},
            {"https_cert": "cert.pem", "https_key": "key.pem"},
        ),
    ],
)
def test_files_are_those_of_the_user(of_variables, tmp_path, variables, names):
    paths = {key: f"{tmp_path}/{name}" for key, name in names.items()}
    assert of_variables(**variables) == CLOUD | paths


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OS_REGION_NAME": "R", "OS_ENDPOINT_TYPE": "internalURL"},
        {"OS_INTERFACE": "adminURL", "OS_INSECURE": "on"},
        {"OS_CACERT": "HOME/ca.pem", "OS_CERT": "HOME/cert.pem"},
        {"OS_USER_DOMAIN_NAME": "U", "OS_PROJECT_DOMAIN_NAME": "P"},
        {"OS_PROJECT_NAME": "", "OS_TENANT_NAME": "T"},
    ],
)
def test_rally_itself_reads_the_same_from_variables(
    of_variables, tmp_path, variables
):
    own = {
        name: value.replace("HOME", str(tmp_path))
        for name, value in variables.items()
    }
    given = VARIABLES | {"OS_IDENTITY_API_VERSION": "3"} | own
    environ = {name: value for name, value in given.items() if value}
    rallys = existing.OpenStack.create_spec_from_sys_environ(environ)["spec"]
    del rallys["api_info"]
    rallys["endpoint_type"] = rallys["endpoint_type"] or "public"
    assert of_variables(**own) == {k: v for k, v in rallys.items() if v}


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        (
            {"OS_PASSWORD": "", "OS_USERNAME": ""},
            "no OS_USERNAME, OS_PASSWORD. Rally's administrator needs it",
        ),
        ({"OS_AUTH_URL": ""}, "no OS_AUTH_URL."),
        # An id is no name.
        (
            {"OS_PROJECT_NAME": "", "OS_PROJECT_ID": "x"},
            "no OS_PROJECT_NAME. .*; an id does not replace a name.",
        ),
        ({"OS_USERNAME": "", "OS_USER_ID": "x"}, "no OS_USERNAME."),
        ({"OS_USER_DOMAIN_ID": "x"}, "OS_USER_DOMAIN_ID. Rally takes a domai"),
        ({"OS_PROJECT_DOMAIN_ID": "x"}, "OS_PROJECT_DOMAIN_ID. Rally takes a"),
        (
            {"OS_USER_DOMAIN_ID": "x", "OS_USER_DOMAIN_NAME": "y"},
            "OS_USER_DOMAIN_ID. Rally takes a domain only by its name.",
        ),
        ({"OS_DEFAULT_DOMAIN_ID": "x"}, "OS_DEFAULT_DOMAIN_ID. Rally takes a"),
        ({"OS_DOMAIN_ID": "x"}, "OS_DOMAIN_ID. Rally takes a domain only by"),
        # Another login than a password, or no project.
        *(
            (
                {"OS_AUTH_TYPE": kind},
                f"OS_AUTH_TYPE. Rally can't log in by {kind}",
            )
            for kind in (
                "v3token",
                "v3applicationcredential",
                "v3oidcpassword",
                "v3multifactor",
                "v2password",
                "none",
                "strange",
            )
        ),
        (
            {"OS_AUTH_PLUGIN": "v3token"},
            "OS_AUTH_PLUGIN. Rally can't log in b",
        ),
        ({"OS_TRUST_ID": "x"}, "OS_TRUST_ID. Rally can only log in to a proj"),
        ({"OS_SYSTEM_SCOPE": "all"}, "OS_SYSTEM_SCOPE. Rally can only log in"),
        (
            {"OS_PROJECT_NAME": "", "OS_DOMAIN_NAME": "x"},
            "OS_DOMAIN_NAME. Rally can only log in to a project",
        ),
        (
            {"OS_APPLICATION_CREDENTIAL_ID": "x"},
            "OS_APPLICATION_CREDENTIAL_ID. Rally can only log in to a",
        ),
        (
            {"OS_IDENTITY_API_VERSION": "2.0"},
            "OS_IDENTITY_API_VERSION. Magnum needs Keystone's API v3.",
        ),
        ({"OS_AUTH_URL": "http://x/v2.0"}, "OS_AUTH_URL. Magnum needs Keysto"),
        # The interface, the region and single services.
        (
            {"OS_INTERFACE": "x"},
            "OS_INTERFACE. Give public, internal or admin",
        ),
        ({"OS_ENDPOINT_TYPE": "URL"}, "OS_ENDPOINT_TYPE. Give public, intern"),
        (
            {"OS_INTERFACE": "public", "OS_ENDPOINT_TYPE": "internalURL"},
            "OS_INTERFACE. OS_ENDPOINT_TYPE has another value. Remove one.",
        ),
        ({"OS_TENANT_NAME": "x"}, "OS_PROJECT_NAME. OS_TENANT_NAME has anot"),
        (
            {"OS_MANILA_ENDPOINT_TYPE": "internalURL"},
            "OS_MANILA_ENDPOINT_TYPE. Rally uses the same interface",
        ),
        (
            {"OS_REGION_NAME": "R", "OS_COMPUTE_REGION_NAME": "S"},
            "OS_COMPUTE_REGION_NAME. Rally uses the same interface",
        ),
        (
            {"OS_CONTAINER_INFRA_ENDPOINT_OVERRIDE": "x"},
            "OS_CONTAINER_INFRA_ENDPOINT_OVERRIDE. Rally uses the same",
        ),
        ({"OS_ENDPOINT": "x"}, "OS_ENDPOINT. Rally uses the same interface"),
        ({"OS_SERVICE_TYPE": "x"}, "OS_SERVICE_TYPE. Rally uses the same in"),
        # TLS.
        ({"OS_CACERT": "/no/ca"}, "OS_CACERT. /no/ca does not exist or can't"),
        ({"OS_CACERT": "~no-user/x"}, "OS_CACERT. /.*/~no-user/x does not ex"),
        ({"OS_CERT": "/no/cert"}, "OS_CERT. /no/cert does not exist"),
        (
            {"OS_CERT": "cert.pem", "OS_KEY": "/no/key"},
            "OS_KEY. /no/key does not exist",
        ),
        ({"OS_KEY": "key.pem"}, "OS_KEY. Give OS_CERT, too."),
        (
            {"OS_CACERT": "ca.pem", "OS_INSECURE": "true"},
            "OS_CACERT. Certificates are not verified, so it has no use.",
        ),
        ({"OS_VERIFY": "false"}, "OS_VERIFY. Give OS_INSECURE or OS_CACERT"),
    ],
)
def test_variables_that_rally_cannot_use_are_refused(
    of_variables, variables, why
):
    with pytest.raises(exceptions.InvalidInput, match=f"^the file has {why}"):
        of_variables(**variables)


@pytest.mark.parametrize(
    ("variable", "is_logged"),
    [
        ("OS_PROJECT_ID", True),
        ("OS_TENANT_ID", True),
        ("OS_USER_ID", True),
        ("OS_TOKEN", True),
        ("OS_DEFAULT_DOMAIN", True),
        ("OS_BYPASS_URL", True),
        ("OS_VOLUME_API_VERSION", False),
        ("OS_AUTH_VERSION", False),
        ("OS_NO_CACHE", False),
        ("OS_CLOUDNAME", False),
        ("OS_PROFILE", False),
        ("OS_CLIENT_CONFIG_FILE", False),
        ("OS_DATABASE__CONNECTION", False),
    ],
)
def test_a_variable_that_is_ignored_is_logged(
    of_variables, logged, variable, is_logged
):
    assert of_variables(**{variable: "3"}) == CLOUD
    line = f"the file has {variable}, which is ignored."
    assert logged == ([line] if is_logged else [])


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({}, {}),
        ({"region_name": "R"}, {"region_name": "R"}),
        ({"interface": "internal"}, {"endpoint_type": "internal"}),
        ({"endpoint_type": "internalURL"}, {"endpoint_type": "internal"}),
        ({"interface": None}, {}),
        (
            {"interface": "admin", "identity_interface": "admin"},
            {"endpoint_type": "admin"},
        ),
        ({"verify": False}, {"https_insecure": True}),
        ({"insecure": True}, {"https_insecure": True}),
        ({"verify": True}, {}),
        (
            {"auth": {"project_domain_name": "P"}},
            of_domains("Default", "P"),
        ),
        ({"auth": {"domain_name": "D"}}, of_domains("D", "D")),
        (
            {
                "auth": {
                    "user_domain_id": "default",
                    "project_domain_id": "default",
                }
            },
            {},
        ),
        ({"auth": {"project_name": None, "tenant_name": "admins"}}, {}),
        ({"auth": {"password": 7}}, {"admin": ADMIN | {"password": "7"}}),
        ({"identity_api_version": 3, "api_timeout": 7, "networks": []}, {}),
    ],
)
def test_a_cloud_of_clouds_yaml_makes_rallys_administrator(
    of_clouds_yaml, logged, settings, changes
):
    assert of_clouds_yaml(**settings) == CLOUD | changes
    assert logged == []


def test_files_of_clouds_yaml_are_found(of_clouds_yaml, tmp_path):
    found = of_clouds_yaml(cacert="~/ca.pem", cert="cert.pem", key="key.pem")
    assert found == CLOUD | {
        "https_cacert": f"{tmp_path}/ca.pem",
        "https_cert": f"{tmp_path}/cert.pem",
        "https_key": f"{tmp_path}/key.pem",
    }


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (
            {"auth": {"password": None, "project_name": None}},
            "no password, project_name. Rally's administrator needs it",
        ),
        (
            {"auth": {"password": True}},
            "password. It is not a string. Put it in",
        ),
        ({"auth": {"user_domain_id": "x"}}, "user_domain_id. Rally takes a"),
        ({"auth": {"domain_id": "x"}}, "domain_id. Rally takes a domain"),
        ({"auth": {"trust_id": "x"}}, "trust_id. Rally can only log in to"),
        ({"auth_type": "v3token"}, "auth_type. Rally can't log in by v3token"),
        ({"auth_type": None}, "auth_type. Rally can't log in by none"),
        ({"auth_plugin": "token"}, "auth_plugin. Rally can't log in by token"),
        ({"interface": "x"}, "interface. Give public, internal or admin"),
        ({"interface": ["internal"]}, "interface. Give public, internal or"),
        (
            {"interface": "public", "endpoint_type": "admin"},
            "interface. endpoint_type has another value. Remove one.",
        ),
        (
            {"container_infra_interface": "internal"},
            "container_infra_interface. Rally uses the same interface",
        ),
        (
            {"compute_endpoint_override": "x"},
            "compute_endpoint_override. Rally uses the same interface",
        ),
        (
            {"container_infra_service_type": "x"},
            "container_infra_service_type. Rally uses the same interface",
        ),
        ({"cacert": "/no/ca"}, "cacert. /no/ca does not exist"),
        ({"cacert": "ca.pem", "verify": False}, "cacert. Certificates are no"),
        ({"verify": "ca.pem"}, "verify. Give insecure or cacert instead"),
        ({"key": "key.pem"}, "key. Give cert, too."),
    ],
)
def test_a_cloud_that_rally_cannot_use_is_refused(
    of_clouds_yaml, settings, why
):
    with pytest.raises(
        exceptions.InvalidInput, match=f"^cloud.clouds_yaml: mine has {why}"
    ):
        of_clouds_yaml(**settings)


def test_a_setting_of_clouds_yaml_that_is_ignored_is_logged(
    of_clouds_yaml, logged
):
    assert of_clouds_yaml({"user_id": "x"}, vm_mode="x") == CLOUD
    assert logged == [
        f"cloud.clouds_yaml: mine has {name}, which is ignored."
        for name in ("user_id", "vm_mode")
    ]


def test_rally_gets_the_settings_of_the_profiler(make):
    profiler = {"profiler_hmac_key": "key", "profiler_conn_str": "redis://h"}
    cloud = cloud_descriptions.CloudDescription(
        "the file", AUTH | {"auth_type": "password"}, {}, profiler=profiler
    )
    assert make(cloud) == CLOUD | profiler
