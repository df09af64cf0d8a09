"""Clean up after a run, even if the run was killed before its cleanup."""
