"""Workers of a real Rally whose parent is killed."""

import signal

import psutil

from tests.unit.task import test_runners

made_rally = test_runners.made_rally
rally = test_runners.rally


def test_workers_without_a_parent_clean_up_and_end(rally):
    arguments = {"times": 50, "concurrency": 2}
    process = test_runners.start(rally, "constant", arguments)
    family = []
    try:
        test_runners.wait_for_files(rally, "started-*", 2)
        family = psutil.Process(process.pid).children(recursive=True)
        assert family
        process.send_signal(signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(family, timeout=60)
    finally:
        process.kill()
        process.wait()
        for each in family:
            if each.is_running():
                each.kill()
    output = (rally / "out").read_text()
    assert alive == [], output
    for number in (1, 2):
        assert (rally / f"removed-{number}").exists(), output
    assert "cleaning up, then the worker ends" in output
