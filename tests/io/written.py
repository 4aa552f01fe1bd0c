"""Read written files in several ways: by popdyn, by pynwb and by h5py alone."""

import json
import warnings

import h5py
import numpy as np
import pynwb

import popdyn as pdn
from popdyn.errors import PopdynWarning
from popdyn.io.writing.restore import restore_attributes
from popdyn.tensor.contract import column_names


def quietly(call, *arguments, **options):
    """Call with popdyn's own warnings put aside; other tests read them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PopdynWarning)
        return call(*arguments, **options)


def stored_text(path):
    with h5py.File(path) as file:
        return file["scratch/popdyn"][()].decode()


def read_back(path, trials="trials", **options):
    """Read a written file, with what popdyn stored beside its tables."""
    session = quietly(pdn.read_session, path, trials, **options)
    if any(step["step"] == "write_nwb" for step in json.loads(session.attrs["popdyn"])):
        return session
    return restore_attributes(
        session,
        stored_text(path),
        corrected={*options.get("clocks", ()), *options.get("units", ())},
        observed=options.get("observed", "auto"),
        keep_source_id="source_id" in options,
    )


def same_column(one, other, name):
    __tracebackhide__ = True
    assert one.dims == other.dims, name
    assert one.dtype.kind == other.dtype.kind, name
    if one.dtype.kind != "U":
        assert one.dtype == other.dtype, name
    np.testing.assert_array_equal(one.values, other.values, err_msg=name)
    assert one.attrs == other.attrs, name


def same_tensor(one, other):
    """Equal in values, columns and attributes, history apart."""
    __tracebackhide__ = True
    assert set(one.coords) == set(other.coords)
    for dim in ("neuron", "trial"):
        assert column_names(one, dim) == column_names(other, dim)
    for name in one.coords:
        same_column(one[name], other[name], name)
    assert one.dtype == other.dtype
    np.testing.assert_array_equal(one.values, other.values)
    kept = [{k: v for k, v in x.attrs.items() if k != "popdyn"} for x in (one, other)]
    assert kept[0] == kept[1]
    assert one.name == other.name


def same_session(one, other, of_the_file=("popdyn", "file", "problems", "n_unsorted")):
    """Equal in every array; equal in attributes that are not facts about the file."""
    __tracebackhide__ = True
    assert set(one.variables) == set(other.variables)
    for name in one.variables:
        same_column(one[name].variable, other[name].variable, name)
    for name in set(other.attrs) - set(of_the_file) - {"trials", "nwb_version"}:
        assert one.attrs[name] == other.attrs[name], name


def arrays_by_pynwb(path, table="trials"):
    """Spike times, intervals and columns as pynwb itself reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pynwb.NWBHDF5IO(str(path), "r") as reader:
            content = reader.read()
            units = content.units
            trials = content.intervals[table] if content.intervals else None
            return {
                "spike_times": [np.asarray(units["spike_times"][i]) for i in range(len(units))],
                "obs_intervals": [np.asarray(units["obs_intervals"][i]) for i in range(len(units))],
                "ids": np.asarray(units.id[:]),
                "trials": {} if trials is None else {n: trials[n][:] for n in trials.colnames},
                "neurons": {
                    n: units[n][:]
                    for n in units.colnames
                    if n not in ("spike_times", "obs_intervals", "electrodes")
                },
            }


def remarks(path):
    """What pynwb's validator and nwbinspector have to say: (errors, [(importance, check)])."""
    from nwbinspector import inspect_nwbfile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pynwb.validate(path=str(path))
        errors = found[0] if isinstance(found, tuple) else found
        lines = [
            (message.importance.name, message.check_function_name, message.object_name)
            for message in inspect_nwbfile(nwbfile_path=str(path))
        ]
    return list(errors), lines
