"""Reading recordings from files."""
