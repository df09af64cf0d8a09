"""Write the table of faults, ``docs/reference/faults.md``.

``make faults`` brings a sandbox up, injects one fault after the other, runs a
small task for each, and takes the sandbox down.  For a few faults only:

    make faults FAULTS="magnum-503 kubelet"

Then the page stays as it is.  The table so far, and the output and the
results of each task, are in ``reports/faults``.  The exit status is 1 when a
task left something behind, a fault hit nothing, or a verdict holds on figures
that are not true.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.fault_table import cases
from tests.fault_table import running
from tests.fault_table import table
from tests.functional import conftest
from tests.functional import test_in_bay

PAGE = conftest.CHECKOUT / "docs/reference/faults.md"
OUTPUT = conftest.CHECKOUT / "reports/faults"


def main() -> int:
    """Run the chosen cases."""
    known = {case.name: case for case in cases.CASES}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a fault")
    names = parser.parse_args().names
    if unknown := set(names) - set(known):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    # So that the sandbox is taken down.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rows: list[table.Row] = []
    with _runner() as runner:
        for name in names or known:
            rows.append(_run(runner, known[name]))
            (OUTPUT / "table.md").write_text(table.markdown(rows))
    if not names:
        head, _, _ = PAGE.read_text().partition("| fault |")
        PAGE.write_text(head + table.markdown(rows))
    return 1 if any(map(table.objections, rows)) else 0


@contextlib.contextmanager
def _runner() -> Iterator[running.Runner]:
    with (
        tempfile.TemporaryDirectory() as name,
        conftest.brought_up() as sandbox,
        test_in_bay.user_environment(sandbox, Path(name)) as user,
        test_in_bay.keeping(sandbox, user, Path(name), nodes=1) as kept,
    ):
        OUTPUT.mkdir(parents=True, exist_ok=True)
        yield running.Runner(sandbox, OUTPUT, kept)


def _run(runner: running.Runner, case: cases.Case) -> table.Row:
    row = runner.run(case)
    print(  # noqa: T201
        f"{case.name}: {row.outcome.did}, {row.outcome.state}, "
        f"{row.task_s:.0f} s",
        flush=True,
    )
    for each in table.objections(row):
        print(f"  {each}", flush=True)  # noqa: T201
    return row


if __name__ == "__main__":
    sys.exit(main())
