"""A certificate authority for tests."""

from __future__ import annotations

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFE = (datetime.timedelta(hours=-1), datetime.timedelta(hours=1))
EXPIRED = (datetime.timedelta(hours=-2), datetime.timedelta(hours=-1))


class Authority:
    """Signs certificates for 127.0.0.1 and for clients."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("authority")
        certificate = (
            self._builder("authority", self._key, LIFE)
            .add_extension(x509.BasicConstraints(True, None), True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = _pem(certificate)

    def issue(
        self,
        name: str = "client",
        life: tuple[datetime.timedelta, datetime.timedelta] = LIFE,
        dns_name: str = "localhost",
    ) -> tuple[str, str]:
        """Return a certificate and its key.

        :param dns_name: that it is for, beside 127.0.0.1
        :param life: its beginning and its end, counted from now
        """
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        certificate = (
            self._builder(name, key, life)
            .add_extension(
                x509.SubjectAlternativeName([address, x509.DNSName(dns_name)]),
                False,
            )
            .sign(self._key, hashes.SHA256())
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return _pem(certificate), pem.decode()

    def _builder(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        life: tuple[datetime.timedelta, datetime.timedelta],
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + life[0])
            .not_valid_after(now + life[1])
        )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
