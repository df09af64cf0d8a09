"""Programs in a Python of their own, which nothing has been imported into."""

import subprocess
import sys

DEADLINE_S = 60


def run(program, *arguments, deadline_s=DEADLINE_S):
    """Run a program that must succeed; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=deadline_s,
    )
    return done.stdout
