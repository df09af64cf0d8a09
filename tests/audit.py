"""Audit the pinned dependencies for known vulnerabilities.

pip-audit asks the advisory service of PyPI.  A mirror of PyPI has none, and
pip-audit then finds nothing and succeeds.  So a package that was not looked up
is named here, and ``make test-all`` shows it in its summary.

The exit status is 1 when a package has a known vulnerability, and 0 when none
has, or when the audit was not possible.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
NOTE = CHECKOUT / "reports" / "dependency-audit.txt"
SERVERS = "rally_magnum_sandbox/servers"
PINNED = (
    "constraints.txt",
    f"{SERVERS}/constraints-22.txt",
    f"{SERVERS}/constraints-23.txt",
)
COMMAND = (
    *("pip-audit", "--no-deps", "--disable-pip", "--progress-spinner=off"),
    *("--format=json", "--requirement"),
)
DEADLINE_S = 600


def judge(output: str, errors: str) -> tuple[int, str]:
    """Return the exit status, and what the audit came to, in one line.

    :param output: the JSON of pip-audit; anything else if it failed
    :param errors: its messages
    """
    try:
        found = json.loads(output)["dependencies"]
    except (ValueError, TypeError, KeyError):
        last = errors.strip().rpartition("\n")[2] or "pip-audit said nothing"
        return 0, f"not audited: {last}"
    vulnerable = [
        f"{each['name']} {each['version']} "
        f"({', '.join(one['id'] for one in each['vulns'])})"
        for each in found
        if each.get("vulns")
    ]
    if vulnerable:
        return 1, f"known vulnerabilities: {'; '.join(vulnerable)}"
    skipped = [each for each in found if "vulns" not in each]
    if skipped or not found:
        why = skipped[0]["skip_reason"] if skipped else "no package was found"
        return 0, f"not audited: {len(skipped)} of {len(found)}, as {why}"
    return 0, f"no known vulnerability in {len(found)} packages"


def audited(path: str) -> tuple[int, str]:
    """Audit a file of pinned versions, as :func:`judge` puts it."""
    try:
        done = subprocess.run(
            [*COMMAND, path],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
        )
    except subprocess.TimeoutExpired:
        return 0, f"not audited: it took over {DEADLINE_S} s"
    return judge(done.stdout, done.stderr)


def main() -> int:
    """Audit each file, and note what that came to."""
    found = {path: audited(path) for path in PINNED}
    lines = [f"{path}: {line}" for path, (_, line) in found.items()]
    NOTE.write_text("\n".join(["dependency audit:", *lines]))
    print("\n".join(lines), flush=True)  # noqa: T201 - this is a command
    return max(status for status, _ in found.values())


if __name__ == "__main__":
    sys.exit(main())
