"""The stub's images, in Glance's format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rally_magnum_sandbox import settings as sandbox_settings

Answer = tuple[int, Any]


def _image(uuid: str, name: str, **properties: str) -> dict[str, Any]:
    return {
        "id": uuid,
        "name": name,
        "status": "active",
        "visibility": "public",
        "container_format": "bare",
        "disk_format": "raw",
        "min_disk": 0,
        "min_ram": 0,
        "size": 1,
        "protected": False,
        "tags": [],
        "owner": "sandbox",
        "checksum": "none",
        "file": f"/v2/images/{uuid}/file",
        "self": f"/v2/images/{uuid}",
        "schema": "/v2/schemas/image",
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2024-01-01T00:00:00Z",
        **properties,
    }


OWN = _image(
    "11111111-1111-4111-8111-111111111111",
    "sandbox",
    os_distro="rally-magnum-sandbox",
)
CAPI_HELM = _image(
    "33333333-3333-4333-8333-333333333333",
    "sandbox-ubuntu",
    os_distro="ubuntu",
    magnum_driver=sandbox_settings.CAPI_HELM_DRIVER,
)


class Images:
    """The image of our driver and the image of magnum-capi-helm.

    :param kubernetes_version: returns the version that bays get, such as
        ``v1.33.4``, or an empty text while it is not known
    """

    def __init__(self, kubernetes_version: Callable[[], str]) -> None:
        self._version = kubernetes_version

    def schema(self, **_: Any) -> Answer:
        """Answer with the names of an image's properties."""
        names = {name for image in self._all() for name in image}
        properties: dict[str, Any] = {name: {} for name in sorted(names)}
        return 200, {"name": "image", "properties": properties}

    def list_images(self, query: dict[str, str], **_: Any) -> Answer:
        """Answer with the images, or the image that the query names."""
        found = [
            image
            for image in self._all()
            if query.get("name", image["name"]) == image["name"]
        ]
        first = {"schema": "/v2/schemas/images", "first": "/v2/images"}
        return 200, {"images": found} | first

    def show_image(self, uuid: str, **_: Any) -> Answer:
        """Answer with one image, by its id."""
        for image in self._all():
            if image["id"] == uuid:
                return 200, image
        return 404, {}

    def _all(self) -> tuple[dict[str, Any], ...]:
        version = self._version()
        known = {"kube_version": version} if version else {}
        return OWN, CAPI_HELM | known
