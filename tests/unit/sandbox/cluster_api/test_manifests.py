from __future__ import annotations

from rally_magnum_sandbox.cluster_api import kinds
from rally_magnum_sandbox.cluster_api import manifests

WEBHOOKS = manifests.WebhookServer("https://127.0.0.1:1", "Y2E=")


def test_core_converts_its_own_kinds() -> None:
    crd = {"metadata": {"name": "machines"}, "spec": {"group": "g"}}
    done = manifests.core_crd(crd, WEBHOOKS)
    webhook = done["spec"]["conversion"]["webhook"]
    assert webhook["clientConfig"] == {
        "url": "https://127.0.0.1:1/convert",
        "caBundle": "Y2E=",
    }
    assert done["spec"]["group"] == "g"
    assert crd == {"metadata": {"name": "machines"}, "spec": {"group": "g"}}


def test_the_providers_kinds_follow_the_contract() -> None:
    crds = {x["spec"]["names"]["kind"]: x for x in manifests.provider_crds()}
    assert set(crds) == {
        "OpenStackCluster",
        "SandboxControlPlane",
        "SandboxMachine",
        "SandboxMachineTemplate",
    }
    for crd in crds.values():
        assert crd["metadata"]["labels"] == manifests.CONTRACT
        assert crd["metadata"]["name"].endswith(f".{kinds.GROUP}")
    planes = crds["SandboxControlPlane"]["spec"]["versions"][0]
    assert "scale" in planes["subresources"]
    machines = crds["SandboxMachine"]["spec"]["versions"][0]
    assert "scale" not in machines["subresources"]


def test_an_admission_webhook_is_called_by_url() -> None:
    document = {
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "validating"},
        "webhooks": [
            {"name": "a", "clientConfig": {"service": {"path": "/v"}}}
        ],
    }
    path, content = manifests.webhook_configuration(document, WEBHOOKS)
    assert path.endswith("/validatingwebhookconfigurations/capi-validating")
    hook = content["webhooks"][0]
    assert hook["clientConfig"]["url"] == "https://127.0.0.1:1/v"
    assert "service" not in hook["clientConfig"]


def test_a_kind_is_served_once_its_crd_is_established() -> None:
    true = {"type": "Established", "status": "True"}
    false = {"type": "Established", "status": "False"}
    assert manifests.is_established({"status": {"conditions": [true]}})
    assert not manifests.is_established({"status": {"conditions": [false]}})
    assert not manifests.is_established({"status": {"conditions": None}})
    assert not manifests.is_established({"metadata": {}})
    assert not manifests.is_established(None)
