"""A cloud on one machine: real Keystone, real Magnum, real Kubernetes.

This module imports nothing heavy: Magnum loads our driver in the servers' own
virtual environment, which has neither Rally nor the Kubernetes client.
"""
