"""Running networks on tasks, and making them look like recordings."""
