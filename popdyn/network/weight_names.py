"""Names of arrays and fields in messages: what is not known, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from popdyn.errors import TensorError, warn


def listed(names: Iterable[Any]) -> str:
    """Return the first names, and how many more there are.

    Parameters
    ----------
    names : iterable of text
        Any number of them.

    Returns
    -------
    str

    Examples
    --------
    >>> listed(["input", "output"])
    'input, output'
    """
    known = [str(name) for name in names]
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""
    return ", ".join(known[:8]) + more if known else "none"


def warn_left_out(kind: str, unknown: Sequence[str], names: Sequence[str]) -> None:
    """Warn of arrays that are no field of the network.

    Parameters
    ----------
    kind : str
        Of network, for the message.
    unknown : sequence of text
        Names of the arrays, may be empty.
    names : sequence of text
        The fields there are.
    """
    if unknown:
        near = difflib.get_close_matches(unknown[0], names, n=1)
        guess = f"; did you mean {near[0]!r} by {unknown[0]!r}?" if near else ""
        warn(f"left out, as a {kind} network has no such field: {listed(unknown)}{guess}")


def refuse_unknown_fields(kind: str, given: Iterable[str], names: Sequence[str]) -> None:
    """Refuse keywords that are no field of the network.

    Parameters
    ----------
    kind : str
        Of network, for the message.
    given : iterable of text
        The keywords.
    names : sequence of text
        The fields there are.

    Raises
    ------
    TensorError
        With the nearest names.

    Examples
    --------
    >>> refuse_unknown_fields("spiking", ["tau"], ["tau_fast", "tau_slow", "dt"])
    Traceback (most recent call last):
    ...
    popdyn.errors.TensorError: a spiking network has no field 'tau'; did you mean tau_fast or ...
    """
    for word in given:
        if word in names:
            continue
        near = [name for name in names if name.startswith(f"{word}_")]
        near = near or difflib.get_close_matches(word, names, n=1)
        guess = f"; did you mean {' or '.join(near)}?" if near else f"; it has {', '.join(names)}"
        message = f"a {kind} network has no field {word!r}{guess}"
        raise TensorError(message)


def struct_hint(found: Iterable[Any], name: str) -> str:
    """Say how to take weights out of a struct, if that is where they are.

    Parameters
    ----------
    found : iterable of text
        Names of the arrays.
    name : str
        Of the array that is looked for.

    Returns
    -------
    str
        Empty, if no name ends with the one looked for.

    Examples
    --------
    >>> struct_hint(["net.recurrent"], "recurrent")[:36]
    "; they lie within 'net': take them o"
    """
    inside = [str(key) for key in found if str(key).endswith(f".{name}")]
    if not inside:
        return ""
    struct = inside[0].removesuffix(f".{name}")
    return (
        f"; they lie within {struct!r}: take them out with {{name.removeprefix('{struct}.'): array "
        f"for name, array in weights.items() if name.startswith('{struct}.')}}"
    )
