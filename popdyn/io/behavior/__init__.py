"""Series and events of behavior: found, described, read."""
