"""What a pickle describes, read without running it: a tree of plain values.

A pickle is a program that may call anything.  Here its instructions are followed by hand: they
may put together dicts, lists, tuples, text and numbers; a name of Python code stays a name; and
what a name is called with goes to the few functions handed in, else the file is refused.
Nothing is imported and nothing of the file's choosing is called.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from popdyn.errors import SourceError

Call = Callable[[tuple[Any, ...]], Any]

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = frozenset(
    {
        "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE",
        "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
        "BINSTRING", "SHORT_BINSTRING",
    }
)  # fmt: skip
_MAKERS: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING = frozenset({"PROTO", "FRAME"})
_PUT = frozenset({"BINPUT", "LONG_BINPUT"})
_GET = frozenset({"BINGET", "LONG_BINGET"})


@dataclass(frozen=True)
class Name:
    """A name of Python code, which stays one."""

    text: str


class RefusedError(SourceError):
    """An instruction that is none of a tree of plain values."""


class _Mark:
    """Where a list of arguments begins on the stack."""


def read_tree(
    stream: io.BytesIO, calls: Mapping[str, Call], persistent: Callable[[Any], Any]
) -> Any:
    """Follow one pickle to its end and return what it describes.

    Parameters
    ----------
    stream : io.BytesIO
        At the start of a pickle; afterwards at its end.  In memory, because a length that lies
        must not reserve any.
    calls : mapping of text to function
        What stands for ``module.name`` when it is called: a function of the tuple of arguments.
    persistent : function
        Of the identifier of what is stored outside the pickle.

    Returns
    -------
    object
        Of dict, list, tuple, text, bytes, numbers, None, `Name`, and what the functions return.

    Raises
    ------
    RefusedError
        If the pickle calls anything else, or makes an object of any class.
    ValueError
        If it is damaged.
    """
    machine = _Machine(calls, persistent)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "STOP":
                return machine.pop()
            machine.follow(opcode.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        message = f"its pickle is damaged ({type(error).__name__})"
        raise ValueError(message) from error
    message = "its pickle has no end"
    raise ValueError(message)


class _Machine:
    """Stack and memory of a pickle."""

    def __init__(self, calls: Mapping[str, Call], persistent: Callable[[Any], Any]) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}
        self.calls = calls
        self.persistent = persistent

    def pop(self) -> Any:
        """Take the top of the stack."""
        if not self.stack or isinstance(self.stack[-1], _Mark):
            message = "its pickle is damaged (empty stack)"
            raise ValueError(message)
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        """Take all above the last mark, and the mark."""
        place = len(self.stack) - 1
        while not isinstance(self.stack[place], _Mark):
            place -= 1
            if place < 0:
                message = "its pickle is damaged (no mark)"
                raise ValueError(message)
        taken = self.stack[place + 1 :]
        del self.stack[place:]
        return taken

    def follow(self, name: str, argument: Any) -> None:
        """Follow one instruction."""
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _MAKERS:
            self.stack.append(_MAKERS[name]())
        elif name in _PUT:
            self.memory[argument] = self.stack[-1]
        elif name in _GET:
            self.stack.append(self.memory[argument])
        elif name in _TUPLES:
            self.stack.append(tuple(reversed([self.pop() for _ in range(_TUPLES[name])])))
        elif name not in _NOTHING:
            found = getattr(self, f"on_{name.lower()}", None)
            if found is None:
                raise RefusedError(_why(f"its pickle holds {name}, which makes objects"))
            found(argument)

    def on_mark(self, _: Any) -> None:
        """Begin a list of arguments."""
        self.stack.append(_Mark())

    def on_memoize(self, _: Any) -> None:
        """Keep the top under the next number."""
        self.memory[len(self.memory)] = self.stack[-1]

    def on_tuple(self, _: Any) -> None:
        """Make a tuple of all since the mark."""
        self.stack.append(tuple(self.pop_to_mark()))

    def on_append(self, _: Any) -> None:
        """Append to a list."""
        value = self.pop()
        self.top_of(list).append(value)

    def on_appends(self, _: Any) -> None:
        """Append all since the mark to a list."""
        values = self.pop_to_mark()
        self.top_of(list).extend(values)

    def on_setitem(self, _: Any) -> None:
        """Put one item into a dict."""
        value, key = self.pop(), self.pop()
        self.put(key, value)

    def on_setitems(self, _: Any) -> None:
        """Put all items since the mark into a dict."""
        values = self.pop_to_mark()
        for key, value in zip(values[::2], values[1::2], strict=True):
            self.put(key, value)

    def on_global(self, argument: str) -> None:
        """Keep a name of code as a name."""
        self.stack.append(Name(argument.replace(" ", ".", 1)))

    def on_stack_global(self, _: Any) -> None:
        """Keep a name of code as a name."""
        name, module = self.pop(), self.pop()
        self.stack.append(Name(f"{module}.{name}"))

    def on_reduce(self, _: Any) -> None:
        """Hand a call to the function that stands for it."""
        arguments, called = self.pop(), self.pop()
        name = called.text if isinstance(called, Name) else type(called).__name__
        if not isinstance(called, Name) or name not in self.calls:
            raise RefusedError(_why(f"it asks to call {name}"))
        if not isinstance(arguments, tuple):
            message = f"its pickle is damaged (arguments of {name})"
            raise ValueError(message)
        self.stack.append(self.calls[name](arguments))

    def on_build(self, _: Any) -> None:
        """Leave attributes of a dict out; nothing else may have any."""
        self.pop()
        self.top_of(dict)

    def on_binpersid(self, _: Any) -> None:
        """Ask for what is stored outside."""
        self.stack.append(self.persistent(self.pop()))

    def top_of(self, kind: type) -> Any:
        """Return the top of the stack, which must be of a kind."""
        top = self.stack[-1]
        if type(top) is not kind:
            found = top.text if isinstance(top, Name) else type(top).__name__
            raise RefusedError(_why(f"it changes a {found} where a {kind.__name__} must be"))
        return top

    def put(self, key: Any, value: Any) -> None:
        """Put an item into the dict on top."""
        if not isinstance(key, (str, int)):
            message = f"its pickle has a dict with a key of type {type(key).__name__}"
            raise ValueError(message)
        self.top_of(dict)[key] = value


def _why(what: str) -> str:
    """Say what was refused and what to do."""
    return (
        f"{what}: popdyn runs no code of files. Save plain weights, in PyTorch "
        "torch.save(model.state_dict(), path)"
    )
