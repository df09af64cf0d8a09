"""The names of our messages between the Locust master and its workers."""

# Master to worker, and back: what is the time where you are?
CLOCK = "rms_clock"
CLOCK_ANSWER = "rms_clock_answer"
# Master to worker: the job, its first second, your index of how many.
START = "rms_start"
# Worker to master: the last windows, and its own sums.
DONE = "rms_done"
# Worker to master: a second user was put here, and did nothing.
REFUSED = "rms_refused"
# Worker to master: the engine broke off.
BROKEN = "rms_broken"
# The key of our windows in the report that Locust sends every 3 s.
WINDOWS_KEY = "rms_windows"
# The key of the moment, by the worker's clock, at which it was sent.
SENT_KEY = "rms_sent_s"
