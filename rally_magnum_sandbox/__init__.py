"""A cloud on one machine: real Keystone, real Magnum, real Kubernetes.

Nothing heavy is imported here: the servers' own virtual environment, in
which Magnum loads our driver, has neither Rally nor the Kubernetes client.
"""
