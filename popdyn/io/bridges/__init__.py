"""To and from pynapple and neo."""
