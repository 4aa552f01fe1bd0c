"""How a file is stored becomes one tree: HDF5, Zarr, damaged or remote."""
