"""Names of groups go to the neurons that they are of."""

import numpy as np
import pandas as pd
import xarray as xr

from popdyn.analysis.neuron_groups import groups_of


def test_series_and_labelled_arrays_are_taken_by_id_and_arrays_by_position():
    ids, names = np.arange(10, 15), np.array(["a", "b", "a", "c", "b"])
    order = [3, 0, 4, 1, 2]
    series = pd.Series(names, index=ids).iloc[order]
    labelled = xr.DataArray(names[order], dims="neuron", coords={"neuron": ids[order]})
    for given in (series, labelled, names):
        np.testing.assert_array_equal(groups_of(given, ids), names)
