"""Follow the changes of objects in a thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import Generic
from typing import Self
from typing import TypeVar

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting
from rally_magnum_scale.kube import watching
from rally_magnum_scale.measurement import staleness

T = TypeVar("T")

Observer = Callable[[Collection[T], staleness.ObservedTime], None]

LISTED_WITHIN_S = 60.0


class Follower:
    """Follows objects by one list and one watch, in a thread.

    Subclasses process each object once per change, and hold ``self._lock``
    to read their state.

    :param what: what is followed, in words, such as ``nodes``
    :param method: as in :func:`rally_magnum_scale.kube.watching.watch`
    :param arguments: its positional arguments
    :param clock: monotonic seconds
    :param selectors: ``label_selector``, ``field_selector``
    """

    def __init__(
        self,
        what: str,
        method: Callable[..., Any],
        *arguments: str,
        clock: Callable[[], float] = time.monotonic,
        **selectors: Any,
    ) -> None:
        self._what = what
        self._staleness = staleness.Staleness()
        self._changes = watching.watch(
            method,
            *arguments,
            staleness=self._staleness,
            clock=clock,
            **selectors,
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._listed = threading.Event()
        self._error: Exception | None = None
        # The API's objects by name.
        self._items: dict[str, Mapping[str, Any]] = {}

    @contextlib.contextmanager
    def following(self) -> Iterator[Self]:
        """Follow in a thread, until :meth:`stop` or the end of the block."""
        thread = self.start()
        try:
            yield self
        finally:
            self.stop()
            thread.join()

    def start(self) -> threading.Thread:
        """Follow in a thread, until :meth:`stop`."""
        thread = threading.Thread(
            target=self._run, name=self._what, daemon=True
        )
        thread.start()
        return thread

    @contextlib.contextmanager
    def stopped_by_failure(self) -> Iterator[None]:
        """Stop following if the block fails."""
        try:
            yield
        except BaseException:
            self.stop()
            raise

    @property
    def listed(self) -> bool:
        """Whether the first list has arrived."""
        return self._listed.is_set()

    def stop(self) -> None:
        """Ask the thread to end, which it does within some seconds."""
        self._stopped.set()

    def wait_listed(self, deadline_s: float = LISTED_WITHIN_S) -> None:
        """Wait until the first list has arrived.

        :raises DeadlineExceeded: when the API does not send it in time
        :raises KubernetesError: when the API refuses
        """

        def poll() -> bool | None:
            self.refuse_error()
            return True if self._listed.is_set() else None

        waiting.wait_for(
            poll,
            what=f"the list of the {self._what}",
            deadline_s=deadline_s,
            interval_s=0.05,
            clock=self._clock,
        )

    def refuse_error(self) -> None:
        """Raise the error that ended the thread, if there is one.

        :raises KubernetesError: when the objects can no longer be followed
        """
        if self._error is not None:
            raise exceptions.KubernetesError(
                f"The {self._what} of the bay can't be followed: {self._error}"
            ) from self._error

    def _keep(
        self, item: Mapping[str, Any], observed: staleness.ObservedTime
    ) -> None:
        """Add an object that is new or has changed."""
        raise NotImplementedError

    def _forget(self, item: Mapping[str, Any]) -> None:
        """Remove an object that has changed or is gone."""

    def _judge(self, observed: staleness.ObservedTime) -> None:
        """Evaluate the state after all changes of one update."""

    def _run(self) -> None:
        try:
            # An interruption ends the waiting thread, which stops this one.
            with contextlib.closing(self._changes), interruption.deferred():
                for seen in self._changes:
                    if self._stopped.is_set():
                        return
                    if seen is not None:
                        self._take(seen)
        except Exception as error:
            self._error = error

    def _take(self, seen: Mapping[str, Mapping[str, Any]]) -> None:
        observed = staleness.ObservedTime(
            self._clock(), self._staleness.not_before
        )
        with self._lock:
            for name in self._items.keys() - seen.keys():
                self._forget(self._items.pop(name))
            for name, item in seen.items():
                before = self._items.get(name)
                if before is not item:
                    if before is not None:
                        self._forget(before)
                    self._items[name] = item
                    self._keep(item, observed)
            self._judge(observed)
        self._listed.set()


class Seen(Follower, Generic[T]):
    """Follows objects, and notifies observers of each change.

    :param read: converts one of the API's objects for the observers
    """

    def __init__(
        self,
        what: str,
        method: Callable[..., Any],
        *arguments: str,
        read: Callable[[Mapping[str, Any]], T],
        clock: Callable[[], float] = time.monotonic,
        **selectors: Any,
    ) -> None:
        super().__init__(what, method, *arguments, clock=clock, **selectors)
        self._read = read
        self._known: dict[str, T] = {}
        self._observers: list[Observer[T]] = []

    def subscribe(self, observer: Observer[T]) -> None:
        """Call an observer with the objects now and after each change.

        :param observer: gets all objects, and when they were observed; it
            must return quickly and must not wait
        """
        with self._lock:
            self._observers.append(observer)
            if self.listed:
                now = staleness.ObservedTime(self._clock())
                observer(self._known.values(), now)

    def seen(self) -> list[T]:
        """Return the current state of all objects."""
        with self._lock:
            return list(self._known.values())

    def _keep(
        self, item: Mapping[str, Any], observed: staleness.ObservedTime
    ) -> None:
        del observed
        self._known[item["metadata"]["name"]] = self._read(item)

    def _forget(self, item: Mapping[str, Any]) -> None:
        del self._known[item["metadata"]["name"]]

    def _judge(self, observed: staleness.ObservedTime) -> None:
        for observer in self._observers:
            observer(self._known.values(), observed)


class Since(Generic[T]):
    """Observer that notes since when a condition on the objects holds.

    :param holds: returns whether the condition holds
    """

    def __init__(self, holds: Callable[[Collection[T]], bool]) -> None:
        self._holds = holds
        # None while the condition does not hold.
        self.observed: staleness.ObservedTime | None = None

    def __call__(
        self, found: Collection[T], observed: staleness.ObservedTime
    ) -> None:
        """Evaluate the condition, as an observer of :class:`Seen`."""
        if not self._holds(found):
            self.observed = None
        elif self.observed is None:
            self.observed = observed
