"""The provider's access to the objects of the management cluster."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.cluster_api import kinds
from rally_magnum_sandbox.cluster_api import objects
from rally_magnum_sandbox.cluster_api import watching


def open_client(settings: sandbox_settings.Settings) -> api.ApiClient:
    """Open the management cluster's API as an administrator."""
    return api.ApiClient(
        sandbox_settings.HOST,
        settings.management_port,
        settings.cluster_api_dir,
        "management cluster's API server",
    )


class ManagementObjects:
    """Reads objects from watches and changes them by requests.

    :param client: of the management cluster's API server
    :param changed: gets the kind and the key of each changed object
    """

    def __init__(
        self,
        client: api.ApiClient,
        changed: Callable[[kinds.Kind, str], None],
    ) -> None:
        self._client = client
        self._watches = {
            kind: watching.Watch(
                client, kind, functools.partial(changed, kind)
            )
            for kind in kinds.ALL
        }

    def start(self) -> None:
        """Start the watches."""
        for watch in self._watches.values():
            watch.start()

    def close(self) -> None:
        """Stop the watches; see :meth:`watching.Watch.close`."""
        for watch in self._watches.values():
            watch.close()

    def complete(self) -> bool:
        """Tell whether every watch has listed its objects."""
        return all(x.complete.is_set() for x in self._watches.values())

    def get(self, kind: kinds.Kind, key: str) -> dict[str, Any] | None:
        return self._watches[kind].get(key)

    def of_cluster(self, kind: kinds.Kind, cluster: str) -> list[Any]:
        """List the objects of a kind that belong to a Cluster."""
        return [
            item
            for item in self._watches[kind].all()
            if objects.cluster_key(item) == cluster
        ]

    def secret(self, cluster: str, suffix: str) -> dict[str, Any] | None:
        """Return a secret of a Cluster, or None if it does not exist yet.

        :param cluster: the key of the Cluster
        :param suffix: of the secret's name
        """
        namespace, name = cluster.split("/")
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}-{suffix}"
        return self._client.find(path)

    def apply_secret(self, secret: dict[str, Any]) -> None:
        namespace = secret["metadata"]["namespace"]
        name = secret["metadata"]["name"]
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        self._client.apply(path, secret)

    def patch(
        self, kind: kinds.Kind, item: objects.Object, change: dict[str, Any]
    ) -> None:
        """Change an object; it may be gone already."""
        self._client.patch(kind.path_of(objects.key_of(item)), change)

    def patch_status(
        self, kind: kinds.Kind, item: objects.Object, status: dict[str, Any]
    ) -> None:
        """Change an object's status; the object may be gone already."""
        path = f"{kind.path_of(objects.key_of(item))}/status"
        self._client.patch(path, {"status": status})

    def keep(self, kind: kinds.Kind, item: objects.Object) -> None:
        """Set the provider's finalizer on an object."""
        if not objects.has_finalizer(item):
            self.patch(kind, item, objects.finalizers(item, ours=True))

    def release(self, kind: kinds.Kind, item: objects.Object) -> None:
        """Remove the provider's finalizer from an object."""
        if objects.has_finalizer(item):
            self.patch(kind, item, objects.finalizers(item, ours=False))
