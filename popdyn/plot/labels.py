"""Texts of axes whose unit may not have been told."""

from __future__ import annotations

from popdyn.plot.style import axis_label, plain


def known_label(quantity: str, units: str) -> str:
    """Text of an axis whose unit may not have been told: the unit only if it was.

    Parameters
    ----------
    quantity : str
        What is drawn.
    units : str
        Unit; ``""`` is not known.

    Returns
    -------
    str
        Label, safe for Matplotlib.

    Examples
    --------
    >>> known_label("stimulus", "s"), known_label("stimulus", "")
    ('stimulus (s)', 'stimulus')
    """
    return axis_label(quantity, units) if units else plain(quantity.replace("_", " "))
