"""How a number is written for a reader: digits that its uncertainty allows, unit, p."""

from __future__ import annotations

import math

NOT_ESTIMATED = "not estimated"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALLEST_P = 1e-4
_SILENT_UNITS = ("", "1")


def unit_text(unit: str) -> str:
    """Write a unit for the eye: no text for dimensionless, real superscripts.

    Parameters
    ----------
    unit
        Unit as kept in a result, ``"Hz"``, ``"1"``, ``"Hz^2"``.

    Returns
    -------
    str
        Text to set after a number; empty when the number has no dimension.

    Examples
    --------
    >>> unit_text("Hz^2"), unit_text("1"), unit_text("unknown"), unit_text("Hz*sqrt(neurons)")
    ('Hz²', '', 'unit unknown', 'Hz·√neurons')
    """
    if unit in _SILENT_UNITS:
        return ""
    if unit == "unknown":
        return "unit unknown"
    for written, shown in (("^2", "²"), ("sqrt(neurons)", "√neurons"), ("*", "·")):
        unit = unit.replace(written, shown)
    return unit


def number(value: float, *, spread: float | None = None) -> str:
    """Write one number with the digits its spread allows.

    Parameters
    ----------
    value
        The number.
    spread
        Width of its interval, same unit; the last digit shown is the second
        significant digit of the width.  Without it three significant digits are shown.

    Returns
    -------
    str
        The number with a true minus sign, or ``"not estimated"`` when it is not finite.

    Examples
    --------
    >>> number(0.71234, spread=0.12), number(0.71234), number(35), number(2e-7)
    ('0.71', '0.712', '35', '2.00 × 10⁻⁷')
    """
    value = float(value)
    if not math.isfinite(value):
        return NOT_ESTIMATED
    scale = abs(value)
    if spread is not None and math.isfinite(spread) and spread > 0:
        decimals = 1 - math.floor(math.log10(spread))
        scale = max(scale, spread)
    elif value.is_integer():
        decimals = 0
    else:
        decimals = 2 - (math.floor(math.log10(scale)) if scale else 2)
    if scale and not 1e-3 <= scale < 1e6:
        return _scientific(value)
    written = f"{value:,.{min(max(decimals, 0), 6)}f}"
    if float(written.replace(",", "")) == 0:
        written = written.removeprefix("-")
    return written.replace("-", "−")


def _scientific(value: float) -> str:
    """Write a very large or very small number as digits times a power of ten."""
    digits, exponent = f"{value:.2e}".split("e")
    power = str(int(exponent)).translate(_SUPERSCRIPT)
    return f"{digits.replace('-', '−')} × 10{power}"


def quantity(value: float, unit: str = "1", *, spread: float | None = None) -> str:
    r"""Write one number with its unit.

    Parameters
    ----------
    value
        The number.
    unit
        Its unit; ``"1"`` for none.
    spread
        Width of its interval, in the same unit.

    Returns
    -------
    str
        Number, a no-break space, unit.

    Examples
    --------
    >>> quantity(0.01, "s")
    '0.0100\xa0s'
    """
    written = number(value, spread=spread)
    suffix = unit_text(unit)
    return f"{written}\u00a0{suffix}" if suffix and written != NOT_ESTIMATED else written


def band(lower: float, upper: float, *, spread: float | None = None) -> str:
    r"""Write an interval in words, so that no dash can be read as a minus.

    Parameters
    ----------
    lower, upper
        Ends of the interval.
    spread
        Width that sets the digits; the width of the interval itself by default.

    Returns
    -------
    str
        ``"a to b"`` with no-break spaces, or ``"not estimated"`` when an end is missing.

    Examples
    --------
    >>> band(-0.12, 0.345).replace("\xa0", " ")
    '−0.12 to 0.34'
    """
    lower, upper = float(lower), float(upper)
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return NOT_ESTIMATED
    if spread is None:
        spread = upper - lower
    return f"{number(lower, spread=spread)}\u00a0to\u00a0{number(upper, spread=spread)}"


def open_band(lower: float, upper: float, *, spread: float | None = None) -> str:
    r"""Write an interval whose upper end may be infinite: the data set no limit.

    Parameters
    ----------
    lower, upper
        Ends of the interval.
    spread
        As for `band`.

    Returns
    -------
    str
        As `band`, or ``"a or more"``.

    Examples
    --------
    >>> open_band(0.131, float("inf")).replace("\xa0", " ")
    '0.131 or more'
    """
    if math.isfinite(lower) and upper == math.inf:
        return f"{number(lower)}\u00a0or\u00a0more"
    return band(lower, upper, spread=spread)


def p_value(p: float, n_draws: int | None = None) -> str:
    r"""Write a p value no smaller than the number of null draws can support.

    Parameters
    ----------
    p
        The p value, ``(1 + draws at least as extreme) / (1 + n_draws)`` when it comes
        from a null distribution.
    n_draws
        Number of null draws; p is never written below ``1 / (n_draws + 1)``.

    Returns
    -------
    str
        ``"p = .034"`` with no-break spaces, or ``"no p"`` when there is none.  Without
        `n_draws`, ``"p ≤ .0001"`` for whatever is smaller.

    Examples
    --------
    >>> told = [p_value(0.0339, 200), p_value(1 / 201, 200), p_value(0.01, 99), p_value(1.0)]
    >>> [text.replace("\xa0", " ") for text in told]
    ['p = .034', 'p = .005', 'p = .010', 'p = 1']
    >>> p_value(float("nan"))
    'no p'
    """
    p = float(p)
    if not math.isfinite(p):
        return "no p"
    sign = "="
    if n_draws:
        p = max(p, 1 / (n_draws + 1))
    elif p <= _SMALLEST_P:
        sign, p = "≤", _SMALLEST_P
    if p >= 0.9995:
        return "p\u00a0=\u00a01"
    # Rates of draws rarely go below .001: from there on, one digit that says something.
    digits = 2 if p >= 0.1 else 3 if p >= 0.001 else max(4, -math.floor(math.log10(p)))
    return f"p\u00a0{sign}\u00a0" + f"{p:.{digits}f}".removeprefix("0")


def counted(n: int, noun: str) -> str:
    r"""Write a count with its noun in the right number.

    Parameters
    ----------
    n
        How many.
    noun
        The noun in the singular; its plural must be regular.

    Returns
    -------
    str
        For example ``"35 neurons"``.

    Examples
    --------
    >>> counted(1, "neuron"), counted(214278, "spike")
    ('1\xa0neuron', '214,278\xa0spikes')
    """
    return f"{n:,}\u00a0{noun}" if n == 1 else f"{n:,}\u00a0{noun}s"


def listed(words: list[str]) -> str:
    """Join words as a sentence does: commas, then *and*.

    Parameters
    ----------
    words
        The words, in order; none may hold a comma of its own.

    Returns
    -------
    str
        One phrase.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed(["a"]), listed([])
    ('a, b and c', 'a', '')
    """
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]
