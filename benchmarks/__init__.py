"""Speed and memory of popdyn beside other packages, measured in one run: ``make bench``."""

import os

# One thread for everybody, said before NumPy is loaded: ratios of CPU time are the point.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_variable] = "1"
