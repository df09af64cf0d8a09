"""A client certificate for a bay, signed by the bay's CA through Magnum."""

from __future__ import annotations

import dataclasses
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import oid


@dataclasses.dataclass(frozen=True)
class BayCredentials:
    """How to reach the Kubernetes API of a bay.

    :param api_address: URL of the API server
    :param ca_pem: certificate of the bay's CA
    :param certificate_pem: of the client, signed by that CA
    :param key_pem: private key of the client, never written to a log
    """

    api_address: str
    ca_pem: str
    certificate_pem: str
    key_pem: str = dataclasses.field(repr=False)


def obtain(magnum: Any, cluster: Any) -> BayCredentials:
    """Make a key, have it signed, and fetch the CA.

    Magnum's drivers make ``system:masters`` the group of administrators,
    as ``openstack coe cluster config`` relies on.

    :param magnum: a python-magnumclient client
    :param cluster: with ``uuid`` and ``api_address``
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    request = _request(key)
    signed = magnum.certificates.create(cluster_uuid=cluster.uuid, csr=request)
    ca = magnum.certificates.get(cluster_uuid=cluster.uuid)
    return BayCredentials(
        api_address=cluster.api_address,
        ca_pem=ca.pem,
        certificate_pem=signed.pem,
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode(),
    )


def _request(key: rsa.RSAPrivateKey) -> str:
    subject = x509.Name(
        [
            x509.NameAttribute(oid.NameOID.COMMON_NAME, "admin"),
            x509.NameAttribute(
                oid.NameOID.ORGANIZATION_NAME, "system:masters"
            ),
        ]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()
