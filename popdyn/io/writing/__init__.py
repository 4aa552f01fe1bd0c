"""What goes into an NWB file that popdyn writes."""
