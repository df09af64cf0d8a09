"""Show what was found, and what was removed."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rally_magnum_scale import cloud_commands
from rally_magnum_scale.reap import plan

_HEADINGS = (
    *("kind", "name", "id", "project", "age", "why it is ours", "run"),
    "what to do",
)


def as_table(rows: Sequence[plan.Decision]) -> str:
    if not rows:
        return "Nothing was found.\n"
    lines = cloud_commands.table([_HEADINGS, *map(_cells, rows)])
    return "\n".join(lines) + "\n"


def _cells(row: plan.Decision) -> tuple[str, ...]:
    found = row.finding
    return (
        found.kind,
        found.name,
        found.id,
        found.project or "?",
        "?" if row.age_s is None else plan.words(row.age_s),
        found.form,
        f"{found.run} {row.state.value}",
        row.action.value + (f": {row.reason}" if row.reason else ""),
    )


def as_summary(rows: Sequence[plan.Decision]) -> str:
    """Return what could not be removed, and how much was."""
    tried = [row for row in rows if row.outcome]
    left = [row for row in tried if row.is_left]
    lines = [
        f"left: {row.finding.kind} {row.finding.name}: {row.outcome}"
        for row in left
    ]
    lines.append(f"{len(tried) - len(left)} removed, {len(left)} left.")
    return "\n".join(lines) + "\n"


def as_json(rows: Sequence[plan.Decision], problems: Sequence[str]) -> str:
    shown = [
        {
            "kind": row.finding.kind,
            "name": row.finding.name,
            "id": row.finding.id,
            "project": row.finding.project,
            "age_s": row.age_s,
            "why": row.finding.form,
            "run": row.finding.run,
            "task": row.task,
            "state": row.state.value,
            "action": row.action.value,
            "reason": row.reason,
            "outcome": row.outcome,
        }
        for row in rows
    ]
    return json.dumps({"rows": shown, "problems": problems}, indent=2) + "\n"
