"""Networks in the files of other tools, read as plain arrays; no code of a file is run."""
