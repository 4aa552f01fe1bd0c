"""Reading parts of a file at an http address."""
