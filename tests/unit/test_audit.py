"""What the audit of the dependencies says, and when it fails."""

import json

import pytest

from tests import audit

WELL = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "X-1"}, {"id": "X-2"}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI: c (3)"}


@pytest.mark.parametrize(
    ("found", "status", "line"),
    [
        ([WELL, WELL], 0, "no known vulnerability in 2 packages"),
        ([WELL, BAD], 1, "known vulnerabilities: b 2 (X-1, X-2)"),
        ([SKIPPED, BAD], 1, "known vulnerabilities: b 2 (X-1, X-2)"),
        (
            [WELL, SKIPPED, SKIPPED],
            0,
            "not audited: 2 of 3, as Dependency not found on PyPI: c (3)",
        ),
        ([], 0, "not audited: 0 of 0, as no package was found"),
    ],
)
def test_a_vulnerability_fails_and_a_skipped_package_is_named(
    found, status, line
):
    output = json.dumps({"dependencies": found, "fixes": []})
    assert audit.judge(output, "WARNING: x") == (status, line)


@pytest.mark.parametrize("output", ["", "[]", "{}", "No known vulnerab"])
def test_an_audit_without_a_result_says_why(output):
    errors = "WARNING:x\nERROR:pip_audit:Could not connect to PyPI\n"
    assert audit.judge(output, errors) == (
        0,
        "not audited: ERROR:pip_audit:Could not connect to PyPI",
    )


def test_every_file_of_pinned_versions_is_audited():
    pinned = {
        str(path.relative_to(audit.CHECKOUT))
        for folder in (".", "rally_magnum_sandbox/servers")
        for path in (audit.CHECKOUT / folder).glob("constraints*.txt")
    }
    assert set(audit.PINNED) == pinned


def test_a_vulnerability_in_any_file_fails_the_audit(monkeypatch, tmp_path):
    found = dict.fromkeys(audit.PINNED, (0, "well"))
    found[audit.PINNED[0]] = (1, "known vulnerabilities: a")
    monkeypatch.setattr(audit, "audited", found.get)
    monkeypatch.setattr(audit, "NOTE", tmp_path / "note")
    assert audit.main() == 1
    first, *others = audit.PINNED
    assert (tmp_path / "note").read_text().splitlines() == [
        "dependency audit:",
        f"{first}: known vulnerabilities: a",
        *(f"{other}: well" for other in others),
    ]
