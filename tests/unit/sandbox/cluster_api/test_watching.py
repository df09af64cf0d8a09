from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from rally_magnum_sandbox.cluster_api import kinds
from rally_magnum_sandbox.cluster_api import watching
from tests.unit.sandbox.cluster_api import fake_management

KIND = kinds.MACHINE
WAIT_S = 30


class Changes:
    """Collects the keys that a watch reports."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._changed = threading.Condition()

    def note(self, key: str) -> None:
        with self._changed:
            self.keys.append(key)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, WAIT_S), self.keys


def test_a_watch_lists_follows_and_forgets(tmp_path: Path) -> None:
    changes = Changes()
    with fake_management.serving(tmp_path) as management:
        old = management.put(KIND, "old")
        management.put(kinds.CONTROL_PLANE, "of-another-kind")
        watch = watching.Watch(management.client, KIND, changes.note)
        watch.start()
        changes.wait_for(lambda: changes.keys == [old])
        assert watch.complete.is_set()
        assert (watch.get(old) or {})["kind"] == KIND.name
        new = management.put(KIND, "new", spec={"flavor": "f"})
        changes.wait_for(lambda: changes.keys == [old, new])
        assert [x["spec"] for x in watch.all()] == [{}, {"flavor": "f"}]
        management.remove(KIND.path_of(old))
        changes.wait_for(lambda: changes.keys == [old, new, old])
        assert watch.get(old) is None
        management.close()
        watch.close()


def test_an_ended_watch_lists_again_and_reports_what_is_gone(
    tmp_path: Path,
) -> None:
    changes = Changes()
    with fake_management.serving(tmp_path) as management:
        lost = management.put(KIND, "lost")
        kept = management.put(KIND, "kept")
        watch = watching.Watch(management.client, KIND, changes.note)
        watch.start()
        changes.wait_for(lambda: changes.keys == [lost, kept])
        management.end_watches()
        management.remove(KIND.path_of(lost))
        changes.wait_for(lambda: watch.get(lost) is None)
        changes.wait_for(lambda: changes.keys[2:].count(lost) > 0)
        assert watch.get(kept) is not None
        management.close()
        watch.close()
