"""NWB 1 files as tables of NWB 2."""
