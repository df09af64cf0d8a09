"""What runs in the servers' own virtual environment, apart from Rally's.

These modules may import the standard library, the servers' packages and
the base modules of this package, nothing else of it.
"""
