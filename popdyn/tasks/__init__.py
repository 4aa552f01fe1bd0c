"""Tasks: stimulus sets, event times, inputs and targets."""
