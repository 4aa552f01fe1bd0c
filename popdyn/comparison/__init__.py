"""The same steps on every source, one tree of results."""
