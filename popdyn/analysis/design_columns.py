"""Columns of the trial table as numbers: coded levels, interactions and formulas."""

from __future__ import annotations

import ast
import builtins
import difflib
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.tensor.contract import text
from popdyn.tensor.selection import find_column
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]
# Matrix (trial, regressor), then the name, the term and the unit of every column.
Columns = tuple[Array, list[str], list[str], list[str]]


def checked_regressors(regressors: Any) -> str | list[str]:
    """Take a formula as it is and names as a list; refuse what has no order or is no text."""
    if isinstance(regressors, str):
        return regressors
    if not isinstance(regressors, (Sequence, np.ndarray, pd.Index)):
        message = (
            "regressors must be a list of trial columns, or one formula; found "
            f"{type(regressors).__name__} {regressors!r}"
        )
        if isinstance(regressors, (Set, Mapping)):
            message += ", whose order is not that of the axes and tables you want: give a list"
        raise TensorError(message)
    return [str(name) for name in regressors]


def with_trial_ids(table: pd.DataFrame) -> pd.DataFrame:
    """Add the ids of the trials, so that they may be a regressor like any column."""
    return table.assign(trial=table.index.to_numpy())


def _refuse_unused_levels(levels: Any, used: Sequence[str]) -> None:
    """Refuse levels of what is no regressor, which would change nothing."""
    if not isinstance(levels, Mapping):
        message = f"levels must map a column to its levels, in order; found {levels!r}"
        raise TensorError(message)
    unused = [str(name) for name in levels if name not in used]
    if unused:
        near = difflib.get_close_matches(unused[0], used, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        message = (
            f"levels are given of {unused[0]!r}, which is no regressor.{hint} Columns of the "
            f"regressors: {', '.join(used)}."
        )
        raise TensorError(message)


def factors_of(name: str, table: pd.DataFrame) -> list[str] | None:
    """Columns a name stands for: itself, or the factors of an interaction; None if no column."""
    if name in table.columns:
        return [name]
    factors = [factor.strip() for factor in name.split(":")]
    return factors if len(factors) > 1 and all(f in table.columns for f in factors) else None


def columns_of_names(
    wanted: list[str],
    x: xr.DataArray | xr.Dataset,
    table: pd.DataFrame,
    levels: Mapping[str, Sequence[Any]],
) -> Columns:
    """Columns of named regressors and their interactions."""
    twice = sorted({name for name in wanted if wanted.count(name) > 1})
    if not wanted or twice:
        found = f"{', '.join(twice)} twice" if twice else "none"
        message = f"regressors must name trial columns, each once; found {found}"
        raise TensorError(message)
    factors_by_name = {name: _known_factors(name, x, table) for name in wanted}
    used = dict.fromkeys(factor for own in factors_by_name.values() for factor in own)
    _refuse_unused_levels(levels, list(used))
    columns, names, term, units = [], [], [], []
    for name, factors in factors_by_name.items():
        product: list[tuple[str, Array]] = [("", np.ones(len(table)))]
        for factor in factors:
            coded = _coded(factor, x, table, levels.get(factor))
            product = [
                (f"{a}:{b}" if a else b, left * right) for a, left in product for b, right in coded
            ]
        names += [label for label, _ in product]
        columns += [values for _, values in product]
        term += [name] * len(product)
        units += [_product_units(factors, x, table, levels)] * len(product)
    return np.column_stack(columns), names, term, units


def _known_factors(name: str, x: xr.DataArray | xr.Dataset, table: pd.DataFrame) -> list[str]:
    """Columns a name stands for; an error that names the nearest one if there is none."""
    factors = factors_of(name, table)
    if factors is None:
        for factor in [name] if ":" not in name else name.split(":"):
            find_column(x, "trial", factor.strip())
    return factors or [name]


def _coded(
    name: str, x: xr.DataArray | xr.Dataset, table: pd.DataFrame, levels: Sequence[Any] | None
) -> list[tuple[str, Array]]:
    """Give a column as numbers: itself, -1 and +1 for two levels, sum coding for more."""
    if levels is None and not is_categorical(table[name]):
        values = table[name].to_numpy(dtype=np.float64)
        if np.isinf(values).any():
            message = f"regressor {name!r} holds infinite values; use NaN for what is not known"
            raise TensorError(message)
        return [(name, values)]
    index, labels = _levels(name, x, levels)
    if len(labels) < 2:
        message = (
            f"regressor {name!r} has one level only ({labels[0]}) on these trials, so that its "
            "effect cannot be told from the intercept: add trials of another level, or leave it out"
        )
        raise TensorError(message)
    missing = np.where(index < 0, np.nan, 0.0)
    last = index == len(labels) - 1
    if len(labels) == 2:
        return [(name, np.where(last, 1.0, -1.0) + missing)]
    return [
        (f"{name}[{label}]", (index == i).astype(np.float64) - last + missing)
        for i, label in enumerate(labels[:-1])
    ]


def is_categorical(column: pd.Series) -> bool:
    """Whether a column is coded rather than taken as numbers."""
    return column.dtype.kind == "b" or not pd.api.types.is_numeric_dtype(column.dtype)


def _levels(
    name: str, x: xr.DataArray | xr.Dataset, levels: Sequence[Any] | None
) -> tuple[NDArray[np.intp], list[str]]:
    """Level of each trial (-1: none) and the levels in their order."""
    conditions = group_conditions(x, name)
    index, labels = np.asarray(conditions.index), conditions.labels
    if levels is None:
        return index, labels
    values = conditions.table[name].tolist()
    order = [str(level) for level in levels]
    known = [
        str(value) if str(value) in order else label
        for value, label in zip(values, labels, strict=True)
    ]
    unknown = [label for label in known if label not in order]
    absent = [level for level in order if level not in known]
    if unknown or absent:
        which = (
            f"{', '.join(unknown)} not among them"
            if unknown
            else f"no trial of {', '.join(absent)}"
        )
        message = (
            f"levels of {name!r} are given as {', '.join(order)}; found {which}. Name the levels "
            "that occur, or select trials first"
        )
        raise TensorError(message)
    place = np.array([*(order.index(label) for label in known), -1])
    return place[index], order


def _product_units(
    factors: Sequence[str],
    x: xr.DataArray | xr.Dataset,
    table: pd.DataFrame,
    levels: Mapping[str, Sequence[Any]],
) -> str:
    """Give the unit of a product of columns; coded columns have none."""
    units = []
    for name in factors:
        if name not in levels and not is_categorical(table[name]):
            own = str(x.coords[name].attrs.get("units", "1")) if name in x.coords else "1"
            units.append("s" if own in ("ms", "us") else own)
    return " ".join(unit for unit in units if unit not in ("", "1")) or "1"


def columns_of_formula(
    formula: str,
    x: xr.DataArray | xr.Dataset,
    table: pd.DataFrame,
    levels: Mapping[str, Sequence[Any]],
) -> Columns:
    """Columns of a patsy formula, the intercept taken off; NaN where a variable is missing."""
    import patsy  # type: ignore[import-untyped]

    refuse_unknown_names(formula, [str(name) for name in table.columns])
    _refuse_unused_levels(levels, names_in_formula(formula))
    data = pd.DataFrame({str(name): _for_patsy(table[name]) for name in table.columns})
    for name, order in levels.items():
        place, words = _levels(name, x, order)
        data[name] = [words[at] if at >= 0 else None for at in place]
        data[name] = data[name].astype(pd.CategoricalDtype(words))
    right = formula.split("~", 1)[-1]
    try:
        # Not the caller's variables: a formula is about the trial table.
        environment = patsy.EvalEnvironment([{"np": np}])
        built = patsy.dmatrix(right, data, environment, "drop", return_type="dataframe")
    except Exception as error:  # patsy evaluates the user's words: anything may come
        raise TensorError(_unreadable(formula, error, table.columns)) from error
    places = dict(built.design_info.term_name_slices)
    if "Intercept" not in places:
        message = (
            f"the formula {formula!r} leaves the intercept out, which is always part of the "
            "regression: take '0 +' or '- 1' away"
        )
        raise TensorError(message)
    del places["Intercept"]
    if not places:
        message = f"the formula {formula!r} has no regressor beside the intercept"
        raise TensorError(message)
    term = [key for key, place in places.items() for _ in range(place.start, place.stop)]
    names = [name for place in places.values() for name in built.columns[place]]
    matrix = built[names].reindex(range(len(table))).to_numpy(dtype=np.float64)
    return matrix, names, term, ["1"] * len(names)


def names_in_formula(formula: str) -> list[str]:
    """Names of columns that a patsy formula uses.

    Parameters
    ----------
    formula : str
        As for `make_design`.

    Returns
    -------
    list of str
        In their order, without functions of patsy, Python and ``np``.

    Raises
    ------
    Exception
        Of patsy or Python, if it cannot be read.

    Examples
    --------
    >>> names_in_formula("choice * C(context) + np.log(rt)")
    ['choice', 'context', 'rt']
    """
    import patsy
    from patsy import builtins as of_patsy

    model = patsy.ModelDesc.from_formula("~" + formula.split("~", 1)[-1])
    found: list[str] = []
    for factor in dict.fromkeys(factor for term in model.rhs_termlist for factor in term.factors):
        for node in ast.walk(ast.parse(factor.code, mode="eval")):
            if isinstance(node, ast.Name):
                found.append(node.id)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Q":
                found += [str(one.value) for one in node.args if isinstance(one, ast.Constant)]
    functions = {"np", *of_patsy.__all__, *dir(builtins)}
    return [name for name in dict.fromkeys(found) if name not in functions]


def refuse_unknown_names(formula: str, columns: Sequence[str]) -> None:
    """Refuse a formula that names a column there is not.

    Parameters
    ----------
    formula : str
        As for `make_design`.
    columns : sequence of str
        Trial columns.

    Raises
    ------
    TensorError
        Naming the unknown column and the nearest one, or if the formula cannot be read or has a
        left side.
    """
    left = formula.split("~", 1)[0].strip() if "~" in formula else ""
    if left:
        message = (
            f"the formula {formula!r} has a left side, {left!r}, but what is regressed is the "
            f"tensor: write {formula.split('~', 1)[1].strip()!r}"
        )
        raise TensorError(message)
    try:
        unknown = [name for name in names_in_formula(formula) if name not in columns]
    except Exception as error:  # patsy and Python read the user's words: anything may come
        raise TensorError(_unreadable(formula, error, columns)) from error
    if unknown:
        near = difflib.get_close_matches(unknown[0], columns, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        where = "" if formula == unknown[0] else f", which the formula {formula!r} names"
        message = (
            f"there is no trial column {unknown[0]!r}{where}.{hint} Columns: {', '.join(columns)}."
        )
        raise TensorError(message)


def _unreadable(formula: str, error: Exception, columns: Iterable[Any]) -> str:
    """Sentence for a formula that cannot be read."""
    reason = str(error).strip().split("\n", 1)[0]
    return (
        f"{formula!r} is neither a trial column nor a formula that can be read ({reason}); "
        f"trial columns are {', '.join(map(str, columns))}"
    )


def _for_patsy(column: pd.Series) -> pd.Series:
    """Give a column as patsy takes it: missing text is None, rows are numbered."""
    if column.dtype.kind == "b" or not is_categorical(column):
        return column.reset_index(drop=True)
    words = text(column.to_numpy(dtype=object))
    return pd.Series([word or None for word in words.tolist()], dtype=object)
