"""Request certificates signed by a bay's CA through Magnum."""

from __future__ import annotations

import dataclasses
from typing import Any
from urllib import parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import oid

from rally_magnum_scale import exceptions


@dataclasses.dataclass(frozen=True)
class BayCredentials:
    """Address and client credentials of a bay's Kubernetes API.

    :param api_address: URL of the API server
    :param ca_pem: certificate of the bay's CA
    :param certificate_pem: client certificate, signed by that CA
    :param key_pem: private key of the client, never written to a log
    """

    api_address: str
    ca_pem: str
    certificate_pem: str
    key_pem: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class ServerCertificate:
    """The certificate of a server in a bay.

    :param ca_pem: certificate of the bay's CA
    :param certificate_pem: server certificate, signed by that CA
    :param key_pem: private key of the server, never written to a log
    """

    ca_pem: str
    certificate_pem: str
    key_pem: str = dataclasses.field(repr=False)


def obtain(magnum: Any, cluster: Any) -> BayCredentials:
    """Create a client key, have it signed, and fetch the CA.

    The certificate's group is ``system:masters``.  Magnum's drivers make it
    the group of administrators, and ``openstack coe cluster config`` relies
    on that too.

    :param magnum: a python-magnumclient client
    :param cluster: with ``uuid`` and ``api_address``
    :raises BayError: when Magnum knows no address of the bay's API
    """
    # magnum-capi-helm shows https://:0 while the address is not known.
    if not parse.urlsplit(cluster.api_address or "").hostname:
        raise exceptions.BayError(
            f"Magnum shows no api_address for the bay {cluster.uuid}, so its "
            "Kubernetes API can't be reached."
        )
    request = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name(
            [
                x509.NameAttribute(oid.NameOID.COMMON_NAME, "admin"),
                x509.NameAttribute(
                    oid.NameOID.ORGANIZATION_NAME, "system:masters"
                ),
            ]
        )
    )
    return BayCredentials(
        cluster.api_address, *_signed(magnum, cluster, request)
    )


def obtain_for_server(
    magnum: Any, cluster: Any, name: str
) -> ServerCertificate:
    """Create a server key, have it signed, and fetch the CA.

    :param magnum: a python-magnumclient client
    :param cluster: with ``uuid``
    :param name: DNS name by which clients address the server
    """
    # Magnum keeps these extensions (its option x509.allowed_extensions).
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(
            x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, name)])
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
        )
        .add_extension(
            x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.SERVER_AUTH]),
            critical=False,
        )
    )
    return ServerCertificate(*_signed(magnum, cluster, request))


def _signed(
    magnum: Any, cluster: Any, request: x509.CertificateSigningRequestBuilder
) -> tuple[str, str, str]:
    """Return the CA, a certificate and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    csr = request.sign(key, hashes.SHA256())
    signed = magnum.certificates.create(
        cluster_uuid=cluster.uuid,
        csr=csr.public_bytes(serialization.Encoding.PEM).decode(),
    )
    ca = magnum.certificates.get(cluster_uuid=cluster.uuid)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return ca.pem, signed.pem, key_pem.decode()
