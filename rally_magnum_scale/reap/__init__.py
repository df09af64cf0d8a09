"""Find and remove what dead runs left in a cloud."""
