"""Print every wrong input with the sentence that it gets.

``python -m tests.functional.bad_inputs [WORDS]`` brings the sandbox up if
it is not, runs each case (or those whose name has the words) and prints a
table; the exit status is 1 when one of them got no sentence or left
something behind.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator

from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_scale import exceptions
from tests.functional import conftest
from tests.functional import host_state
from tests.functional.bad_inputs import cases
from tests.functional.bad_inputs import running


@contextlib.contextmanager
def _sandbox() -> Iterator[conftest.Sandbox]:
    settings = sandbox_settings.from_environment()
    owner = host_state.Owner.of_sandbox(settings)
    found = conftest.Sandbox(settings, host_state.capture(owner))
    was_up = found.settings.ready_file.exists()
    found.up()
    try:
        yield found
    finally:
        if not was_up:
            found.down()


def main() -> int:
    """Print the table of the cases that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="?", default="")
    words = parser.parse_args().words
    asked = [case for case in cases.CASES if words in case.name]
    _say("| wrong input | exit status | the sentence it got |")
    _say("|---|---|---|")
    with _sandbox() as sandbox:
        held = [_show(sandbox, case) for case in asked]
    return 0 if held and all(held) else 1


def _show(sandbox: conftest.Sandbox, case: cases.Case) -> bool:
    outcome = running.run(sandbox, case)
    left = running.left_over(sandbox)
    said = outcome.sentence.replace("|", "/") or "NO SENTENCE"
    stays = f" LEFT: {', '.join(left)}" if left else ""
    _say(f"| {case.name} | {outcome.status} | {said}{stays} |")
    return bool(outcome.status and outcome.sentence and not left)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    try:
        sys.exit(main())
    except exceptions.ScaleError as error:
        sys.exit(str(error))
