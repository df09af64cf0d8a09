"""Certificates and kubeconfigs of a bay, signed with Magnum's CA."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import ipaddress
import json
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.oid import NameOID

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay.spec import BaySpec
from rally_magnum_sandbox.bay.spec import RealNode

LIFETIME = datetime.timedelta(days=365)
MASTERS = "system:masters"


@dataclasses.dataclass(frozen=True)
class Identity:
    """The owner of a certificate.

    :param file: name of the files, without suffix
    :param user: the Kubernetes user name
    :param group: the Kubernetes group, or empty
    :param names: addresses and DNS names that the certificate is valid for
    """

    file: str
    user: str
    group: str = ""
    names: tuple[str, ...] = ()


class Authority:
    """A certificate authority; a bay's was created by Magnum.

    :param folder: contains ``ca.crt`` and ``ca.key``; issued certificates
        are written to it too
    :raises SandboxError: if these files can't be read
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._certificate = x509.load_pem_x509_certificate(
                (folder / "ca.crt").read_bytes()
            )
            key = serialization.load_pem_private_key(
                (folder / "ca.key").read_bytes(), None
            )
        except (OSError, ValueError, TypeError) as error:
            raise exceptions.SandboxError(
                f"Can't read the bay's certificate authority in {folder}: "
                f"{error}. Write ca.crt and ca.key as unencrypted PEM."
            ) from error
        assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        self._key = key

    def issue(self, identity: Identity) -> None:
        """Write a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_subject(identity))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + LIFETIME)
        )
        for extension in self._extensions(identity, key):
            builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (self.folder / f"{identity.file}.crt").write_bytes(pem)
        write_key(self.folder / f"{identity.file}.key", key)

    def _extensions(
        self, identity: Identity, key: ec.EllipticCurvePrivateKey
    ) -> Iterable[x509.ExtensionType]:
        yield x509.ExtendedKeyUsage(
            [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        )
        yield x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        yield x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self._key.public_key()
        )
        if identity.names:
            yield x509.SubjectAlternativeName(
                [_general_name(name) for name in identity.names]
            )


def create_authority(folder: Path) -> None:
    """Create a certificate authority: ``ca.crt`` and ``ca.key``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.crt").write_bytes(pem)
    write_key(folder / "ca.key", key)


def identities(spec: BaySpec) -> list[Identity]:
    """List the owners of all certificates of a bay, including its nodes."""
    kubernetes = ["kubernetes"]
    for suffix in ("default", "svc", "cluster", "local"):
        kubernetes.append(f"{kubernetes[-1]}.{suffix}")
    addresses = [
        spec.control_address,
        spec.first_service_address,
        "127.0.0.1",
        "localhost",
    ]
    served = (*addresses, *kubernetes)
    found = [
        Identity("apiserver", "kube-apiserver", names=served),
        Identity("apiserver-kubelet", "kube-apiserver", MASTERS),
        Identity("controller-manager", "system:kube-controller-manager"),
        Identity("scheduler", "system:kube-scheduler"),
        Identity("kwok", "kwok", MASTERS),
        Identity("maker", "sandbox", MASTERS),
        Identity("proxy", "system:kube-proxy"),
    ]
    return found + [node_identity(node) for node in spec.nodes]


def node_identity(node: RealNode) -> Identity:
    """Return the owner of the certificate of a real node's kubelet."""
    user, names = f"system:node:{node.name}", (node.address, node.name)
    return Identity(f"kubelet-{node.number}", user, "system:nodes", names)


def kubeconfig(folder: Path, file: str, api_address: str) -> str:
    """Return the kubeconfig of a component.

    :param folder: of the certificates
    :param file: the name of the component's certificate
    :param api_address: of the API server
    :returns: a kubeconfig, as JSON
    """

    def data(name: str) -> str:
        return base64.b64encode((folder / name).read_bytes()).decode()

    cluster = {
        "server": api_address,
        "certificate-authority-data": data("ca.crt"),
    }
    user = {
        "client-certificate-data": data(f"{file}.crt"),
        "client-key-data": data(f"{file}.key"),
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "bay",
            "clusters": [{"name": "bay", "cluster": cluster}],
            "users": [{"name": "bay", "user": user}],
            "contexts": [
                {"name": "bay", "context": {"cluster": "bay", "user": "bay"}}
            ],
        }
    )


def write_all(spec: BaySpec) -> None:
    """Write every certificate and kubeconfig of a bay into its folder.

    :raises SandboxError: if the authority can't be read
    """
    authority = Authority(spec.folder)
    for identity in identities(spec):
        write(spec, authority, identity)
    write_service_account(spec.folder)


def write_service_account(folder: Path) -> None:
    """Write the key pair that signs the tokens of service accounts."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_key(folder / "service-account.key", key)
    (folder / "service-account.pub").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        )
    )


def write(spec: BaySpec, authority: Authority, identity: Identity) -> None:
    """Write one certificate, its key and its kubeconfig."""
    write_identity(authority, identity, spec.api_address)


def write_identity(
    authority: Authority, identity: Identity, api_address: str
) -> None:
    """Write one certificate, its key and its kubeconfig.

    :param api_address: of the API server in the kubeconfig
    """
    authority.issue(identity)
    path = authority.folder / f"{identity.file}.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(kubeconfig(authority.folder, identity.file, api_address))


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a private key that only the file's owner can read."""
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _subject(identity: Identity) -> x509.Name:
    # The user name of a node contains its name. Names of machines are longer
    # than the 64 characters that RFC 5280 allows here. Go does not check that.
    attributes = [
        x509.NameAttribute(NameOID.COMMON_NAME, identity.user, _validate=False)
    ]
    if identity.group:
        attributes.append(
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.group)
        )
    return x509.Name(attributes)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
