"""What workers and master count, and how it is written down and read."""
