"""What every result can do for itself: ``result.popdyn.show()``, ``.table()``, ``.summary()``.

Importing this module registers the accessor; everything it needs is loaded when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

if TYPE_CHECKING:
    import pandas as pd

# Arrays up to this length are written out.
_FEW = 6
_PROVENANCE = ("source_id", "align", "units", "seed", "input_digest", "popdyn_version")


class ResultAccessor:
    """Pictures, tables and text of a result (or Session), as ``dataset.popdyn``.

    Parameters
    ----------
    dataset : Dataset
        A result of any popdyn analysis, a condition average or a Session.
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def show(self, **options: Any) -> Any:
        """Draw the result by its method, as ``popdyn.show`` does.

        Parameters
        ----------
        **options
            Passed to the plot, such as ``ax=``.

        Returns
        -------
        Axes
            Axes drawn on; ``.figure`` is the figure.

        Examples
        --------
        >>> import popdyn as pdn
        >>> import xarray as xr
        >>> callable(xr.Dataset().popdyn.show)
        True
        """
        from popdyn.plot.show import show

        return show(self._dataset, **options)

    def table(self, name: str | None = None) -> pd.DataFrame:
        """Long table of one quantity and of everything with the same dims.

        Parameters
        ----------
        name : str, optional
            Variable whose dims make the rows; the first one without `name`.

        Returns
        -------
        DataFrame
            A row per combination of the dims, columns for the variables that have exactly these
            dims, and ``<variable>_lower``, ``<variable>_upper`` for their bounds.  Draws of a
            null distribution are listed only when asked for by `name`.  Of a Session: its trial
            table.

        Raises
        ------
        TensorError
            When the result has no variable `name`.

        Examples
        --------
        >>> import popdyn.accessor
        >>> import xarray as xr
        >>> result = xr.Dataset({"accuracy": ("time", [0.5, 1.0])}, coords={"time": [0.0, 0.1]})
        >>> result.popdyn.table()["accuracy"].tolist()
        [0.5, 1.0]
        """
        from popdyn.tensor.session import is_session

        if name is None and is_session(self._dataset):
            from popdyn.tensor.view import trial_table

            trials: pd.DataFrame = trial_table(self._dataset)
            return trials
        return _table(self._dataset, name)

    def summary(self) -> str:
        """Text: what was computed, from what, and the numbers with their intervals.

        Returns
        -------
        str
            A line per quantity; arrays are given by their dims and range.

        Examples
        --------
        >>> import popdyn.accessor
        >>> import xarray as xr
        >>> result = xr.Dataset({"mean_p": 0.25}, attrs={"method": "decode"})
        >>> print(result.popdyn.summary())
        decode
          mean_p  0.25
        """
        attrs = self._dataset.attrs
        lines = [str(attrs.get("method", "session" if "spike_time" in self._dataset else "result"))]
        if attrs.get("parameters"):
            lines.append(f"  parameters  {attrs['parameters']}")
        lines += [
            f"  {key}  {attrs[key]}" for key in _PROVENANCE if attrs.get(key) not in (None, "")
        ]
        names = [
            str(name) for name in self._dataset.data_vars if not _is_bound(self._dataset, name)
        ]
        lines += [f"  {name}  {_numbers(self._dataset, name)}" for name in names]
        return "\n".join(lines)


def _table(dataset: xr.Dataset, name: str | None) -> pd.DataFrame:
    """Rows by the dims of one variable, columns for all variables of these dims."""
    from popdyn.errors import TensorError

    names = [str(variable) for variable in dataset.data_vars]
    if not names or (name is not None and name not in names):
        from difflib import get_close_matches

        near = get_close_matches(str(name), names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        message = f"no variable {name!r} in this result; it has {', '.join(names) or 'none'}{hint}"
        raise TensorError(message)
    dims = dataset[names[0] if name is None else name].dims
    columns = {}
    for variable in names:
        array = dataset[variable]
        if array.dims == dims:
            columns[variable] = array
        elif "bound" in array.dims and set(array.dims) - {"bound"} == set(dims):
            stem = variable.removesuffix("_bound").removeprefix("bound_")
            for side in ("lower", "upper"):
                columns[f"{stem}_{side}"] = array.sel(bound=side, drop=True).transpose(*dims)
    if not dims:
        import pandas as pd

        return pd.DataFrame({key: [value.item()] for key, value in columns.items()})
    return xr.Dataset(columns).to_dataframe().reset_index()


def _each(array: xr.DataArray, bound: xr.DataArray | None) -> str:
    """Every value of a short array, with its coordinate and its interval."""
    dim = array.dims[0]
    words = []
    for position, value in enumerate(array.values):
        name = array[dim].values[position] if dim in array.coords else position
        word = f"{name}: {value:.4g}"
        if bound is not None:
            lower, upper = bound.isel({dim: position}).values
            word += f" [{lower:.4g}, {upper:.4g}]"
        words.append(word)
    return f"({dim})  " + ", ".join(words)


def _is_bound(dataset: xr.Dataset, name: Any) -> bool:
    """Whether a variable holds the interval of another one."""
    return str(name).endswith("_bound") and "bound" in dataset[name].dims


def _numbers(dataset: xr.Dataset, name: str) -> str:
    """One line about a variable: its value and interval, or its dims and range."""
    array = dataset[name]
    bound = f"{name}_bound"
    if array.ndim == 0:
        value = array.item()
        line = f"{value:.4g}" if isinstance(value, float) else str(value)
        if bound in dataset:
            lower, upper = (float(dataset[bound].sel(bound=side)) for side in ("lower", "upper"))
            line += f" [{lower:.4g}, {upper:.4g}]"
        return line
    if array.ndim == 1 and array.size <= _FEW and array.dtype.kind in "fiu":
        return _each(array, dataset.get(bound))
    sizes = ", ".join(f"{dim}: {size}" for dim, size in array.sizes.items())
    if array.dtype.kind not in "fiu" or array.size == 0:
        return f"({sizes})"
    return f"({sizes})  {float(array.min()):.4g} to {float(array.max()):.4g}"


# Registering twice (a reload) would warn that a method is overridden.
if not hasattr(xr.Dataset, "popdyn"):
    xr.register_dataset_accessor("popdyn")(ResultAccessor)  # type: ignore[no-untyped-call]
