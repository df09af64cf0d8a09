"""Refuse a user's Locust file that Locust itself can't run.

Only Locust can determine which classes of a file are users.  This module
wraps Locust's functions that load a file, so that an unusable file is
refused with one sentence before the load begins.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import NoReturn

NO_USER = (
    "Locust finds no user class in it; derive one from HttpUser, "
    "FastHttpUser or User"
)
ALONE = (
    "; only this file is copied to the bay, without other files and packages"
)
ERROR_MAX_CHARACTERS = 300

Refuse = Callable[[str], NoReturn]


def watch_loading(main: Any, ours: str, refuse: Refuse) -> None:
    """Check what Locust finds in the files that it loads from now on.

    :param main: module of Locust's command, which is loading ``ours``
    :param ours: path of our file, which is loaded before the user's
    :param refuse: receives a clause about the user's file
    """
    loading = _Loading(main, ours, refuse)
    main.load_locustfile = loading.load
    main.load_locustfile_pytest = loading.load_tests
    main.create_environment = loading.make_environment


class _Loading:
    """Wrappers of Locust's functions that check what these return."""

    def __init__(self, main: Any, ours: str, refuse: Refuse) -> None:
        self._load = main.load_locustfile
        self._load_tests = main.load_locustfile_pytest
        self._make_environment = main.create_environment
        self._ours = ours
        self._refuse = refuse

    def load(self, path: str) -> Any:
        with _refused(self._refuse):
            users, shapes = self._load(path)
        for shape in shapes:
            self._refuse(load_shape(shape))
        return users, shapes

    def load_tests(self, path: str) -> Any:
        """Load functions as users, as Locust does if it finds no class."""
        if path == self._ours:
            return {}
        try:
            users = self._load_tests(path)
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            self._refuse(f"{NO_USER} (its functions: {_describe(error)})")
        if not users:
            self._refuse(NO_USER)
        return users

    def make_environment(self, *given: Any, **named: Any) -> Any:
        with _refused(self._refuse):
            return self._make_environment(*given, **named)


def load_shape(shape: object) -> str:
    """Return the clause that refuses a load shape."""
    return (
        f"{type(shape).__name__} is a load shape, which would change the "
        "number of users in the middle of a step; remove it, and use "
        "steps instead"
    )


@contextlib.contextmanager
def _refused(refuse: Refuse) -> Iterator[None]:
    """Refuse a file if Locust or the file itself raises."""
    try:
        yield
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        more = ALONE if isinstance(error, ImportError) else ""
        refuse(f"Locust can't run it: {_describe(error)}{more}")


def _describe(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text[:ERROR_MAX_CHARACTERS]
