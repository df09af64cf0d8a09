"""What a run made is removed, also when the run died before it could."""
