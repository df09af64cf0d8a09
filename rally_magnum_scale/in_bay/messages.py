"""Names of our messages between the Locust master and its workers."""

# Master to worker, and back: the clock probe.
CLOCK = "rms_clock"
CLOCK_ANSWER = "rms_clock_answer"
# Master to worker: the job, its first second, the index of the worker and
# the number of workers.
START = "rms_start"
# Worker to master: the last windows, and the worker's own sums.
DONE = "rms_done"
# Worker to master: Locust started a second user here, which did nothing.
REFUSED = "rms_refused"
# Worker to master: the engine failed.
BROKEN = "rms_broken"
# The key of our windows in the report that Locust sends every 3 s.
WINDOWS_KEY = "rms_windows"
# The key of the time of sending, by the worker's clock.
SENT_KEY = "rms_sent_s"
