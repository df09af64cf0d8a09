"""The objects that the sandbox creates in Keystone and Magnum."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keystoneauth1 import adapter
from keystoneauth1 import session as keystone_session
from keystoneauth1.identity import v3

from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.cluster_api import flavors

REGION = "RegionOne"
TEMPLATE = "kubernetes"
MAGNUM_VERSION = "container-infra 1.10"
# Rally gives its users the role `member`; many clouds add Heat's roles.
ROLES = ("member", "heat_stack_owner", "heat_stack_user")


@dataclass(frozen=True)
class Template:
    """A public cluster template of the sandbox.

    :param name: of the template
    :param image: of the stub; Magnum 22 takes the driver from it
    :param driver: the entry point of Magnum's driver
    :param flavor: of the workers
    :param labels: of the template
    """

    name: str
    image: str
    driver: str
    flavor: str
    labels: Mapping[str, str]


OWN_TEMPLATE = Template(
    TEMPLATE,
    "sandbox",
    sandbox_settings.OWN_DRIVER,
    "sandbox.node",
    {"sandbox_real_nodes": "1"},
)
CAPI_HELM_TEMPLATE = Template(
    "capi-helm",
    "sandbox-ubuntu",
    sandbox_settings.CAPI_HELM_DRIVER,
    # This driver ignores labels of ours.
    flavors.ONE_REAL,
    {},
)


def admin_session(
    settings: sandbox_settings.Settings, secrets: secrets_file.Secrets
) -> keystone_session.Session:
    """Open a session as the sandbox's administrator."""
    login = v3.Password(
        auth_url=settings.keystone_url,
        username="admin",
        password=secrets.admin,
        project_name="admin",
        user_domain_id="default",
        project_domain_id="default",
    )
    return keystone_session.Session(auth=login, timeout=60)


class Keystone:
    """Finds or creates the objects that the sandbox needs in Keystone."""

    def __init__(self, session: keystone_session.Session, url: str) -> None:
        self._api = adapter.Adapter(session, endpoint_override=url)

    def ensure(
        self, kind: str, name: str, plural: str = "", **fields: Any
    ) -> str:
        """Find an object by its name, or create it.

        :param kind: such as ``project``
        :param name: of the object
        :param plural: the plural of the kind, if it is not kind + "s"
        :param fields: the new object's fields; ``domain_id`` also limits
            the search
        :returns: the object's id
        """
        query = {"name": name}
        if "domain_id" in fields:
            query["domain_id"] = fields["domain_id"]
        plural = plural or f"{kind}s"
        found = self._api.get(f"/{plural}", params=query).json()[plural]
        if found:
            return str(found[0]["id"])
        body = {kind: {"name": name} | fields}
        return str(self._api.post(f"/{plural}", json=body).json()[kind]["id"])

    def grant(self, target: str, user: str, role: str) -> None:
        """Give a user a role on a target such as ``projects/ID``."""
        self._api.put(f"/{target}/users/{user}/roles/{role}")

    def ensure_service(self, name: str, kind: str, url: str) -> None:
        """Add a service and its endpoints to the catalogue."""
        service = self.ensure("service", name, type=kind)
        query = {"service_id": service}
        known = self._api.get("/endpoints", params=query).json()["endpoints"]
        for interface in {"public", "internal", "admin"} - {
            endpoint["interface"] for endpoint in known
        }:
            endpoint = {
                "service_id": service,
                "interface": interface,
                "region_id": REGION,
                "url": url,
            }
            self._api.post("/endpoints", json={"endpoint": endpoint})


def ensure_identities(
    settings: sandbox_settings.Settings, secrets: secrets_file.Secrets
) -> None:
    """Create the services, roles, Magnum's user and its trust domain."""
    session = admin_session(settings, secrets)
    keystone = Keystone(session, settings.keystone_url)
    admin = keystone.ensure("role", "admin")
    for role in ROLES:
        keystone.ensure("role", role)
    project = keystone.ensure("project", "service", domain_id="default")
    user = keystone.ensure(
        "user", "magnum", domain_id="default", password=secrets.magnum
    )
    keystone.grant(f"projects/{project}", user, admin)
    domain = keystone.ensure("domain", "magnum")
    trustee = keystone.ensure(
        "user",
        "magnum_domain_admin",
        domain_id=domain,
        password=secrets.trustee,
    )
    keystone.grant(f"domains/{domain}", trustee, admin)
    for name, kind, url in _services(settings):
        keystone.ensure_service(name, kind, url)


def _services(
    settings: sandbox_settings.Settings,
) -> list[tuple[str, str, str]]:
    stub = settings.stub_url
    return [
        ("magnum", "container-infra", settings.magnum_url),
        ("glance", "image", f"{stub}/image"),
        ("nova", "compute", f"{stub}/compute/v2.1"),
        ("neutron", "network", f"{stub}/network"),
        ("cinder", "block-storage", f"{stub}/volume/v3"),
    ]


def ensure_templates(
    settings: sandbox_settings.Settings,
    secrets: secrets_file.Secrets,
    templates: Iterable[Template],
) -> None:
    """Create the public cluster templates that are missing."""
    api = adapter.Adapter(
        admin_session(settings, secrets),
        endpoint_override=settings.magnum_url,
        additional_headers={"OpenStack-API-Version": MAGNUM_VERSION},
    )
    known = api.get("/clustertemplates").json()["clustertemplates"]
    names = {template["name"] for template in known}
    for template in templates:
        if template.name not in names:
            api.post("/clustertemplates", json=_in_magnum(template))


def _in_magnum(template: Template) -> dict[str, Any]:
    """Return a template in Magnum's format."""
    return {
        "name": template.name,
        "coe": "kubernetes",
        "image_id": template.image,
        "driver": template.driver,
        "external_network_id": "public",
        "flavor_id": template.flavor,
        "master_flavor_id": "sandbox.master",
        "public": True,
        "tls_disabled": False,
        "labels": dict(template.labels),
    }
