"""How Magnum is configured and started."""

import configparser
import json

import pytest

from rally_magnum_sandbox import cloud
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import servers_environment
from rally_magnum_sandbox import settings
from rally_magnum_sandbox.cluster_api import management


@pytest.fixture
def known(tmp_path):
    (tmp_path / "state").mkdir()
    return settings.Settings(tmp_path / "state", tmp_path / "cache")


@pytest.fixture
def capi_helm(tmp_path):
    return settings.CapiHelm(
        kubeconfig=tmp_path / "admin.kubeconfig",
        chart=tmp_path / "chart",
        helm_folder=tmp_path / "helm",
    )


@pytest.fixture
def configure(known):
    secrets = secrets_file.ensure(known.state_dir)
    servers = servers_environment.ServersEnvironment(known.cache_dir)

    def configure(capi_helm=None):
        changed = cloud.write_configuration(known, secrets, servers, capi_helm)
        found = configparser.ConfigParser(interpolation=None)
        found.read(known.state_dir / "magnum" / "magnum.conf")
        return changed, found

    return configure


def test_cluster_api_adds_servers_until_down(known):
    assert list(cloud.ports(known)) == [
        "postgres",
        "keystone",
        "magnum",
        "stub",
    ]
    management.request(known)
    ports = cloud.ports(known)
    assert set(ports) > set(management.ports(known))
    assert len(set(ports.values())) == len(ports)
    first, span = known.first_port, settings.PORTS_PER_SANDBOX
    everything = {*ports.values(), known.core_health_port}
    assert everything == set(range(first, first + span))


def test_the_driver_gets_our_chart_and_the_management_cluster(known):
    found = management.capi_helm(known)
    assert (found.chart / "Chart.yaml").exists()
    assert found.kubeconfig.parent == known.cluster_api_dir
    assert found.helm_folder.parent == known.cache_dir


def test_only_our_driver_is_enabled_by_default(configure):
    _, found = configure()
    assert found["drivers"]["default_driver"] == settings.OWN_DRIVER
    assert found["drivers"]["disabled_drivers"] == settings.CAPI_HELM_DRIVER
    assert "capi_helm" not in found


def test_the_section_of_capi_helm(configure, capi_helm):
    _, found = configure(capi_helm)
    assert found["drivers"]["default_driver"] == settings.OWN_DRIVER
    assert "disabled_drivers" not in found["drivers"]
    section = found["capi_helm"]
    assert section["kubeconfig_file"] == str(capi_helm.kubeconfig)
    assert section["helm_chart_name"] == str(capi_helm.chart)
    assert section["helm_chart_repo"] == ""
    assert section["default_helm_chart_version"] == ""
    kinds = json.loads(section["api_resources"])
    assert kinds["K8sControlPlane"]["plural_name"] == "sandboxcontrolplanes"
    assert found["octavia_client"]["endpoint_type"] == "publicURL"


def test_only_a_server_whose_configuration_changed_is_named(
    configure, capi_helm
):
    assert configure()[0] == ["keystone", "magnum"]
    assert configure()[0] == []
    assert configure(capi_helm)[0] == ["magnum"]
    assert configure()[0] == ["magnum"]


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_magnum_finds_helm_and_no_bundle_of_authorities(
    known, capi_helm, monkeypatch, variable
):
    monkeypatch.setenv(variable, "/bundle.pem")
    monkeypatch.setenv("PATH", "/bin")
    servers = servers_environment.ServersEnvironment(known.cache_dir)
    plain = cloud.magnum_server(known, servers)
    assert plain.env["PATH"] == "/bin"
    server = cloud.magnum_server(known, servers, capi_helm)
    assert server.env["PATH"] == f"{capi_helm.helm_folder}:/bin"
    assert variable not in server.env
