from rally_magnum_scale.in_bay import worker
from tests.unit import fresh_python

PROGRAM = """
from rally_magnum_scale.in_bay import worker
# It is handed down from whoever starts a process.
worker.TIMER_SLACK.write_text("50000")
before = worker.TIMER_SLACK.read_text()
worker.sleep_exactly()
print(before.strip(), worker.TIMER_SLACK.read_text().strip())
"""


def test_sleeps_end_on_time():
    # In a process of its own: it stays so.
    before_ns, after_ns = map(int, fresh_python.run(PROGRAM).split())
    assert (before_ns, after_ns) == (50_000, 1)


def test_a_missing_timer_slack_file_is_ignored(tmp_path):
    worker.sleep_exactly(tmp_path / "none" / "timerslack_ns")
    assert not list(tmp_path.iterdir())
