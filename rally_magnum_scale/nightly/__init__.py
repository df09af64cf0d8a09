"""What runs night after night: the history as a command, and the job."""
