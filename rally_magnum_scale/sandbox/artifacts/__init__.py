"""What a bay is made of: binary, image, system packages, and the machine."""

from rally_magnum_scale.sandbox.artifacts.image import LOCUST_IMAGE
from rally_magnum_scale.sandbox.artifacts.image import NGINX_IMAGE
from rally_magnum_scale.sandbox.artifacts.image import ensure_image
from rally_magnum_scale.sandbox.artifacts.kubernetes_binary import (
    ensure_kubernetes_binary,
)
from rally_magnum_scale.sandbox.artifacts.machine import check_machine
from rally_magnum_scale.sandbox.artifacts.system_packages import (
    ensure_system_packages,
)
from rally_magnum_scale.sandbox.bay.node import PAUSE_IMAGE

__all__ = [
    "LOCUST_IMAGE",
    "NGINX_IMAGE",
    "PAUSE_IMAGE",
    "check_machine",
    "ensure_image",
    "ensure_kubernetes_binary",
    "ensure_system_packages",
]
