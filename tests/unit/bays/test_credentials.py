import dataclasses

import pytest
from cryptography import x509
from cryptography.x509 import oid

from rally_magnum_scale import exceptions
from tests.unit.bays import fake_magnum

NAME = "rms-1-target.rms-1-load.svc"


@dataclasses.dataclass
class Cluster:
    uuid: str
    api_address: str | None = "https://127.0.0.1:1"


class SigningMagnum(fake_magnum.FakeMagnum):
    """A Magnum that keeps the signing requests."""

    def answer(self, method, path, body):
        if not path.startswith("/certificates"):
            return super().answer(method, path, body)
        self.requests.append((method, path, body))
        pem = "signed" if method == "POST" else "the CA"
        return 200, {"pem": pem}


def test_a_server_certificate_has_the_servers_name_and_server_auth_only():
    magnum = SigningMagnum("CREATE_COMPLETE")
    with fake_magnum.bays(magnum) as bays:
        signed = bays.server_certificate(Cluster("c-1"), NAME)
    assert (signed.ca_pem, signed.certificate_pem) == ("the CA", "signed")
    assert "PRIVATE KEY" in signed.key_pem
    assert "PRIVATE KEY" not in repr(signed)
    (body,) = (body for verb, _, body in magnum.requests if verb == "POST")
    csr = x509.load_pem_x509_csr(body["csr"].encode())
    names = csr.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    usages = csr.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert list(usages.value) == [oid.ExtendedKeyUsageOID.SERVER_AUTH]
    # It opens no API: only the groups of a subject give rights there.
    assert [one.value for one in csr.subject] == [NAME]
    assert body["cluster_uuid"] == "c-1"


@pytest.mark.parametrize("address", [None, "", "https://:0"])
def test_a_bay_without_an_api_address_is_one_sentence(address):
    magnum = SigningMagnum("CREATE_COMPLETE")
    with (
        fake_magnum.bays(magnum) as bays,
        pytest.raises(exceptions.BayError, match="shows no api_address for"),
    ):
        bays.credentials(Cluster("c-1", address))
    assert magnum.requests == []
