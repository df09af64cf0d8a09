"""The stub's image, in Glance's format."""

from __future__ import annotations

from typing import Any

Answer = tuple[int, Any]

IMAGE = {
    "id": "11111111-1111-4111-8111-111111111111",
    "name": "sandbox",
    "os_distro": "rally-magnum-sandbox",
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
    "file": "/v2/images/11111111-1111-4111-8111-111111111111/file",
    "self": "/v2/images/11111111-1111-4111-8111-111111111111",
    "schema": "/v2/schemas/image",
    "created_at": "2024-01-01T00:00:00Z",
    "updated_at": "2024-01-01T00:00:00Z",
}


def schema(**_: Any) -> Answer:
    """Answer with the names of an image's properties."""
    properties: dict[str, Any] = {name: {} for name in IMAGE}
    return 200, {"name": "image", "properties": properties}


def images(query: dict[str, str], **_: Any) -> Answer:
    """Answer with the images, or the image that the query names."""
    wanted = query.get("name", IMAGE["name"])
    found = [IMAGE] if wanted == IMAGE["name"] else []
    first = {"schema": "/v2/schemas/images", "first": "/v2/images"}
    return 200, {"images": found} | first


def image(uuid: str, **_: Any) -> Answer:
    """Answer with one image, by its id."""
    return (200, IMAGE) if uuid == IMAGE["id"] else (404, {})
