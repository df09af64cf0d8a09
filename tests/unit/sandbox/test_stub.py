"""The stub of Glance, Nova, Neutron and Cinder."""

import http.client
import json

import pytest

from rally_magnum_sandbox.servers import stub
from rally_magnum_sandbox.servers import stub_images
from tests.unit.sandbox import waitress_server

URL = "http://127.0.0.1:15002"


def application():
    return stub.Application(stub.Stub(stub_images.Images(str), URL))


@pytest.fixture
def get():
    known = stub.Stub(stub_images.Images(lambda: "v1.33.4"), URL)

    def ask(target, method="GET", body=None):
        return known.answer(method, target, body)

    return ask


def test_the_image_selects_our_driver(get):
    status, found = get("/image/v2/images?name=sandbox&limit=200")
    assert status == 200
    assert found["images"][0]["os_distro"] == "rally-magnum-sandbox"
    image = found["images"][0]["id"]
    assert get(f"/image/v2/images/{image}")[0] == 200


@pytest.mark.parametrize(
    ("path", "version", "endpoint"),
    [
        ("/image", "v2", "/image/v2/"),
        ("/compute/v2.1/", "v2.1", "/compute/v2.1/"),
        ("/network/", "v2.0", "/network/v2.0/"),
        ("/volume/v3", "v3", "/volume/v3/"),
    ],
)
def test_the_link_of_a_version_is_absolute(get, path, version, endpoint):
    document = get(path)[1]
    (found,) = document.get("versions") or [document["version"]]
    assert found["id"].startswith(version)
    assert found["links"] == [{"rel": "self", "href": f"{URL}{endpoint}"}]


def test_flavors_with_too_little_ram_are_left_out(get):
    flavors = get("/compute/v2.1/flavors/detail?minRam=8192")[1]["flavors"]
    names = {flavor["name"] for flavor in flavors}
    assert "sandbox.node" in names
    assert "sandbox.master" not in names
    flavors = get("/compute/v2.1/flavors/detail")[1]["flavors"]
    assert len(flavors) == len(stub.FLAVORS)


@pytest.mark.parametrize("project", ["", "/p"])
def test_there_is_one_volume_type(get, project):
    (found,) = get(f"/volume/v3{project}/types")[1]["volume_types"]
    assert found["name"] == "default"


def test_the_image_of_capi_helm_has_the_version_of_kubernetes(get):
    (found,) = get("/image/v2/images?name=sandbox-ubuntu")[1]["images"]
    assert found["os_distro"] == "ubuntu"
    assert found["kube_version"] == "v1.33.4"
    assert found["magnum_driver"] == "k8s_capi_helm_v1"
    assert len(get("/image/v2/images")[1]["images"]) == 2
    assert "kube_version" in get("/image/v2/schemas/image")[1]["properties"]


def test_the_version_of_kubernetes_is_left_out_until_it_is_known():
    answered = stub_images.Images(str).show_image(stub_images.CAPI_HELM["id"])
    assert answered == (200, stub_images.CAPI_HELM)


def test_an_unknown_image_is_not_found(get):
    assert get("/image/v2/images?name=fedora")[1]["images"] == []
    assert get("/image/v2/images/none")[0] == 404


def test_quotas_are_kept_until_they_are_deleted(get):
    path = "/compute/v2.1/os-quota-sets/t1"
    assert get(path)[1]["quota_set"]["cores"] == stub.UNLIMITED
    changed = {"quota_set": {"cores": 800, "force": True, "tenant_id": "t1"}}
    assert get(path, "PUT", changed)[1]["quota_set"]["cores"] == 800
    assert get(path)[1]["quota_set"]["cores"] == 800
    assert get("/compute/v2.1/os-quota-sets/t2")[1]["quota_set"]["cores"] < 0
    assert get(path, "DELETE") == (202, None)
    assert get(path)[1]["quota_set"]["cores"] == stub.UNLIMITED


def test_quotas_of_volumes_and_networks(get):
    _, found = get("/volume/v3/p/os-quota-sets/t1")
    assert found["quota_set"]["gigabytes"] == stub.UNLIMITED
    body = {"quota": {"port": 5}}
    assert get("/network/v2.0/quotas/t1", "PUT", body)[1]["quota"]["port"] == 5
    assert get("/network/v2.0/quotas/t1.json", "DELETE") == (204, None)


@pytest.mark.parametrize(
    ("path", "kind", "resource", "used"),
    [
        (
            "/compute/v2.1/os-quota-sets/t1/detail",
            "quota_set",
            "ram",
            "in_use",
        ),
        (
            "/volume/v3/p/os-quota-sets/t1?usage=True",
            "quota_set",
            "volumes",
            "in_use",
        ),
        ("/network/v2.0/quotas/t1/details", "quota", "port", "used"),
    ],
)
def test_quotas_with_their_use(get, path, kind, resource, used):
    plain = path.partition("?")[0].partition("/detail")[0]
    get(plain, "PUT", {kind: {resource: 7}})
    shown = get(path)[1][kind][resource]
    assert shown == {"limit": 7, used: 0, "reserved": 0}


@pytest.mark.parametrize(
    ("path", "kind", "resource"),
    [
        ("/compute/v2.1/os-quota-sets/t1", "quota_set", "cores"),
        ("/network/v2.0/quotas/t1", "quota", "port"),
    ],
)
def test_the_default_quota_stays(get, path, kind, resource):
    get(path, "PUT", {kind: {resource: 7}})
    default = "default" if kind == "quota" else "defaults"
    shown = get(f"{path}/{default}")[1][kind]
    assert shown[resource] == stub.UNLIMITED


def test_key_pairs_are_created_and_deleted(get):
    path = "/compute/v2.1/os-keypairs"
    get(path, "POST", {"keypair": {"name": "mine"}})
    assert get(f"{path}/mine")[0] == 200
    assert get(f"{path}/mine", "DELETE")[0] == 202
    assert get(f"{path}/mine")[0] == 404
    assert get(f"{path}/sandbox")[0] == 200


def test_there_is_an_external_network_and_no_extension(get):
    networks = get("/network/v2.0/networks?name=public")[1]["networks"]
    assert networks[0]["router:external"] is True
    assert get("/network/v2.0/extensions")[1] == {"extensions": []}


def test_the_error_names_an_unknown_request(get):
    status, found = get("/compute/v2.1/servers", "POST", {})
    assert status == 404
    assert "POST /compute/v2.1/servers" in found["error"]["message"]


def test_over_http():
    with waitress_server.serve(application()) as port:
        client = http.client.HTTPConnection("127.0.0.1", port)
        try:
            for _ in range(2):  # on the same connection
                client.request("GET", "/compute/v2.1/limits")
                answer = client.getresponse()
                found = json.loads(answer.read())
                assert found["limits"]["absolute"]["maxTotalCores"] == -1
            body = json.dumps({"keypair": {"name": "a b"}})
            client.request("POST", "/compute/v2.1/os-keypairs", body)
            assert json.loads(client.getresponse().read())
            path = "/compute/v2.1/os-quota-sets/t1"
            client.request("DELETE", path)
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (202, b"")
        finally:
            client.close()
