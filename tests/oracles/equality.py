"""Point of subjective equality by a plain search, one first stimulus at a time.

The posterior that ``popdyn.behavior.equality`` states, written down trial by trial and searched by
Nelder and Mead.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm


def point_of_equality(first, second, larger, largest):
    """Return point of equality and spread of the trials of one first stimulus."""
    difference = (np.asarray(second) - first) / largest

    def minus_log_posterior(p):
        z = (difference - p[0]) / np.exp(p[1])
        likelihood = np.where(larger, norm.logcdf(z), norm.logcdf(-z)).sum()
        return -likelihood - norm.logpdf(p[0], 0, 5) - norm.logpdf(p[1], -1, 5)

    options = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 4000}
    best = minimize(minus_log_posterior, [0.0, -1.0], method="Nelder-Mead", options=options)
    return first + largest * best.x[0], largest * np.exp(best.x[1])
