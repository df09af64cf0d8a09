"""Modules that run in the servers' own virtual environment, without Rally.

They may import the standard library, the servers' packages and the base
modules of this package, but nothing else.
"""
