"""Slow plain formulas for the regression of single neurons."""

import numpy as np


def held_out_errors(y, x, fold, penalty):
    """Squared error per model on held-out trials, by refitting: mean, whole, without a column.

    The last column of x is the intercept; the ridge is on columns brought to variance 1.
    """
    n_columns = x.shape[1]
    models = [[n_columns - 1], list(range(n_columns))]
    models += [[j for j in range(n_columns) if j != i] for i in range(n_columns - 1)]
    scaled = x.copy()
    scaled[:, :-1] = (x[:, :-1] - x[:, :-1].mean(axis=0)) / x[:, :-1].std(axis=0)
    errors = []
    for columns in models:
        error = 0.0
        for k in np.unique(fold):
            train, test = scaled[fold != k][:, columns], scaled[fold == k][:, columns]
            ridge = np.full(len(columns), penalty * len(train))
            ridge[-1] = 0.0
            gram = train.T @ train + np.diag(ridge)
            coefficient = np.linalg.solve(gram, train.T @ y[fold != k])
            error += ((y[fold == k] - test @ coefficient) ** 2).sum()
        errors.append(error)
    return np.array(errors)


def freedman_lane_t(y, x, column, order):
    """t of a column after the residuals of the regression without it were permuted."""
    rest = np.delete(x, column, axis=1)
    fitted = rest @ np.linalg.lstsq(rest, y, rcond=None)[0]
    permuted = fitted + (y - fitted)[order]
    coefficient = np.linalg.lstsq(x, permuted, rcond=None)[0]
    residual = permuted - x @ coefficient
    variance = residual @ residual / (len(y) - x.shape[1])
    return coefficient[column] / np.sqrt(variance * np.linalg.inv(x.T @ x)[column, column])
