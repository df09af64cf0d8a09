"""Run all benchmarks, or those named."""

from __future__ import annotations

import sys

from benchmarks.registry import BENCHMARKS


def main(names: list[str]) -> int:
    """Print the results of the named benchmarks, or of all.

    :returns: the exit status: 2 for an unknown name
    """
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(
            f"There is no benchmark {unknown[0]}; there are "
            f"{', '.join(BENCHMARKS)}.\n"
        )
        return 2
    for name in names or BENCHMARKS:
        for result in BENCHMARKS[name]():
            sys.stdout.write(result.line())
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
