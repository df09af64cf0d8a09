"""Compare what a task will need with what the cloud has, before it runs."""
