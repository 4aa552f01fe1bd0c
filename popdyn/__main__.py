"""``python -m popdyn`` is the command line."""

from popdyn.cli import main

main()
