"""Check that the dataclasses of a package are frozen."""

import dataclasses
import importlib
import pkgutil


def modules(package):
    """Return the full names of the modules of a package."""
    prefix = f"{package.__name__}."
    return [one.name for one in pkgutil.iter_modules(package.__path__, prefix)]


def check(module):
    """Fail if a dataclass that a module defines can be changed.

    :param module: full name of the module
    """
    for value in vars(importlib.import_module(module)).values():
        if dataclasses.is_dataclass(value) and value.__module__ == module:
            assert value.__dataclass_params__.frozen, value
