"""What the table, the summary and the JSON say."""

import json

from rally_magnum_scale.reap import cli
from rally_magnum_scale.reap import findings
from rally_magnum_scale.reap import plan
from rally_magnum_scale.task.recovery import run_markers

BAY = findings.Finding(
    "bay", "kept-r-1", "id-1", "r", "named kept-RUN-…", lambda: None, "p"
)
PAIR = findings.Finding(
    "keypair", "c_rally_r_1", "id-2", "r", "named c_rally_RUN_…", lambda: None
)
STATE = run_markers.RunState.UNKNOWN
KEPT = plan.Decision(BAY, STATE, 7200.0, plan.Action.CHOOSE, "kept", "task-1")
FAILED = plan.Decision(
    PAIR, STATE, None, plan.Action.DELETE, outcome="Nova refused"
)
GONE = plan.Decision(
    BAY, STATE, None, plan.Action.DELETE, outcome=plan.REMOVED
)


def test_the_table():
    assert cli._as_table([KEPT, FAILED]).splitlines() == [
        "kind     name         id    project  age  evidence             "
        "run        what to do",
        "bay      kept-r-1     id-1  p        2 h  named kept-RUN-…     "
        "r unknown  choose: kept",
        "keypair  c_rally_r_1  id-2  ?        ?    named c_rally_RUN_…  "
        "r unknown  delete",
    ]


def test_the_summary_names_what_could_not_be_removed():
    assert cli._as_summary([KEPT, FAILED, GONE]).splitlines() == [
        "left: keypair c_rally_r_1: Nova refused",
        "1 removed, 1 left.",
    ]


def test_json_has_all_that_is_known():
    shown = json.loads(cli._as_json([KEPT], ["a problem"]))
    assert shown == {
        "rows": [
            {
                "kind": "bay",
                "name": "kept-r-1",
                "id": "id-1",
                "project": "p",
                "age_s": 7200.0,
                "why": "named kept-RUN-…",
                "run": "r",
                "task": "task-1",
                "state": "unknown",
                "action": "choose",
                "reason": "kept",
                "outcome": "",
            }
        ],
        "problems": ["a problem"],
    }
