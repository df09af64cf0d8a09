"""Cluster API for a sandbox whose Magnum has the driver magnum-capi-helm.

Three parts run beside the other servers:

- the management cluster: etcd, kube-apiserver and kube-controller-manager
  (:mod:`~rally_magnum_sandbox.cluster_api.management`);
- Cluster API's own core, which creates, scales, checks, drains and deletes
  machines;
- the provider, which makes bays and their nodes of what core requests
  (:mod:`~rally_magnum_sandbox.cluster_api.provider`).

Magnum's driver installs a Helm chart for each cluster. The folder ``chart``
has a small chart that understands the values of this driver.
"""
