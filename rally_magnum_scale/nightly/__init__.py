"""The nightly job, and the command for the history of runs."""
