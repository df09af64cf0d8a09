from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest
from cryptography import x509

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import certificates
from rally_magnum_sandbox.bay import spec as bay_spec


@pytest.fixture
def spec(tmp_path: Path) -> bay_spec.BaySpec:
    certificates.create_authority(tmp_path)
    return bay_spec.BaySpec(
        folder=tmp_path,
        name="bay",
        uuid="u",
        index=5,
        node_count=2,
        real_nodes=1,
        kubernetes_binary=Path("kubernetes"),
        image_store=Path("image"),
        cgroup="group",
    )


def load(spec: bay_spec.BaySpec, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((spec.folder / name).read_bytes())


def test_every_component_has_the_user_that_kubernetes_expects(
    spec: bay_spec.BaySpec,
) -> None:
    certificates.write_all(spec)
    found = {
        name: load(spec, f"{name}.crt").subject.rfc4514_string()
        for name in ("maker", "kubelet-0", "scheduler")
    }
    assert found == {
        "maker": "O=system:masters,CN=sandbox",
        "kubelet-0": "O=system:nodes,CN=system:node:bay-node-0",
        "scheduler": "CN=system:kube-scheduler",
    }


@pytest.mark.parametrize(
    ("file", "address"),
    [("apiserver", "198.18.5.1"), ("kubelet-0", "198.18.5.10")],
)
def test_server_certificates_contain_their_addresses(
    spec: bay_spec.BaySpec, file: str, address: str
) -> None:
    certificates.write_all(spec)
    leaf = load(spec, f"{file}.crt")
    leaf.verify_directly_issued_by(load(spec, "ca.crt"))
    names = leaf.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value
    served = names.get_values_for_type(x509.IPAddress)
    assert address in map(str, served)
    leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    leaf.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)


def test_only_the_owner_can_read_the_keys(spec: bay_spec.BaySpec) -> None:
    certificates.write_all(spec)
    secret = [*spec.folder.glob("*.key"), *spec.folder.glob("*.kubeconfig")]
    assert len(secret) > 10
    for path in secret:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_kubeconfig_contains_its_own_certificate(
    spec: bay_spec.BaySpec,
) -> None:
    certificates.write_all(spec)
    config = json.loads((spec.folder / "kwok.kubeconfig").read_text())
    assert config["clusters"][0]["cluster"]["server"] == spec.api_address
    data = config["users"][0]["user"]["client-certificate-data"]
    assert base64.b64decode(data) == (spec.folder / "kwok.crt").read_bytes()


def test_the_error_names_a_missing_authority(tmp_path: Path) -> None:
    with pytest.raises(exceptions.SandboxError, match=r"ca\.crt"):
        certificates.Authority(tmp_path)


def test_the_name_of_a_node_may_be_long(spec: bay_spec.BaySpec) -> None:
    node = spec.node(0, 0, "a" * 63)
    authority = certificates.Authority(spec.folder)
    identity = certificates.node_identity(node)
    with pytest.warns(UserWarning, match="length"):
        certificates.write(spec, authority, identity)
    pem = (spec.folder / "kubelet-0.crt").read_bytes()
    assert (
        f"system:node:{node.name}".encode()
        in x509.load_pem_x509_certificate(pem).tbs_certificate_bytes
    )
