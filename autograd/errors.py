"""The tree of exceptions: what the package raises besides Python's own TypeError and ValueError.

AutogradError
    GraphError        a graph that cannot be walked or differentiated
    RecordingError    a program that autograd.compile cannot record
    AnomalyError      an infinity or NaN, found by ``detect_anomaly``
    GradcheckError    a derivative that finite differences contradict
    DrawError         a graph that cannot be drawn or rendered
"""

from __future__ import annotations

import reprlib


class AutogradError(Exception):
    """The base class of the exceptions of this package, so that one ``except`` catches them all."""


class GraphError(AutogradError, RuntimeError):
    """The graph cannot be walked or differentiated.

    A graph knows the Values that it was computed from, but not their old numbers. If a leaf's ``data`` is assigned after the
    graph was recorded, the derivative would be wrong, so this error is raised:

    >>> from autograd import Value
    >>> x = Value(3.0, label="x")
    >>> y = x * x
    >>> x.data = 5.0
    >>> y.backward()
    Traceback (most recent call last):
        ...
    autograd.errors.GraphError: the data of 'x' was assigned after mul (×) had used it: compute the result again, ...

    The mended program computes ``y`` after the assignment:

    >>> y = x * x
    >>> y.backward()
    >>> x.grad
    10.0
    """


class RecordingError(AutogradError, TypeError):
    """A function does something that ``autograd.compile`` cannot record.

    The compiler calls the function once, on Values that stand for every example and every later call. If the function used the
    number of such a Value instead of the Value, the program would repeat for all examples what the function did with the first
    one. So this error is raised. There are six ways to get it.

    **A branch** takes one of two ways, and the other way is not recorded:

    >>> import autograd
    >>> from autograd import Value, math
    >>> w = Value(2.0)
    >>> leaky = autograd.compile(lambda x: w * x if x > 0 else 0.1 * x)
    >>> leaky([1.0, -1.0])
    Traceback (most recent call last):
        ...
    autograd.errors.RecordingError: the truth of a Value was asked for ... write autograd.math.where(condition, a, b), ...

    The mended program computes both and chooses for each example. ``maximum``, ``minimum`` and ``clip`` are choices, too:

    >>> leaky = autograd.compile(lambda x: math.where(x > 0, w * x, 0.1 * x))
    >>> leaky([1.0, -1.0]).data
    0.95

    ``x == 1`` and ``x != 1`` are such conditions. ``x in (0, 1)``, ``match x`` and ``labels.count(1)`` use them. Two Values are
    equal only if they are the same object, but here their numbers are meant:

    >>> same = autograd.compile(lambda x, y: w if x == y else 2.0 * w)
    >>> same([1.0, 2.0], [1.0, 3.0])
    Traceback (most recent call last):
        ...
    autograd.errors.RecordingError: two Values were compared by == ... write autograd.math.where(a - b == 0, x, y); ...
    >>> same = autograd.compile(lambda x, y: math.where(x - y == 0, w, 2.0 * w))
    >>> same([1.0, 2.0], [1.0, 3.0]).data                # the mean of w and 2 w
    3.0

    **A plain number** would be that of the first example. It comes from ``v.data``, ``v.grad``, ``float(v)`` and the functions
    of Python's ``math``:

    >>> scaled = autograd.compile(lambda x: x / abs(w.data))
    >>> scaled([1.0, 3.0])
    Traceback (most recent call last):
        ...
    autograd.errors.RecordingError: the data of a Value was read ... compute with v, or with v.detach(); ...

    Use the functions of ``autograd.math`` instead, and ``detach()`` for a Value through which no gradient flows:

    >>> scaled = autograd.compile(lambda x: x / abs(w.detach()))
    >>> scaled([1.0, 3.0]).data
    1.0

    **Text** (``str(x)``, ``f"{x:.2f}"``, ``print(x)``) would show the number of the first example:

    >>> autograd.compile(lambda x: w * len(f"{x}"))([1.0])
    Traceback (most recent call last):
        ...
    autograd.errors.RecordingError: a Value was turned into text ... do that with the result, after the call; ...

    **An index** differs between examples, so each example looks up another item:

    >>> table = [Value(10.0), Value(20.0)]
    >>> look_up = autograd.compile(lambda i: table[i])
    >>> look_up([0, 1, 1])
    Traceback (most recent call last):
        ...
    autograd.errors.RecordingError: a Value was used as an index ... write autograd.math.select(values, index); ...
    >>> look_up = autograd.compile(lambda i: math.select(table, i))
    >>> look_up([0, 1, 1, 1]).data
    17.5

    The same holds for a key of a dict: ``{0: a, 1: b}[i]`` raises this error.

    **A Value made inside** the function is a constant there, such as the ``Value(0.0)`` that a sum starts from. If the function
    keeps such a Value for the next call, its number could change in between, and the program would not notice:

    >>> import functools
    >>> @functools.cache
    ... def shift():
    ...     return Value(3.0)
    >>> autograd.compile(lambda x: w * x + shift())([1.0])
    Traceback (most recent call last):
        ...
    autograd.errors.RecordingError: a Value of 3.0 was made inside the function, in File ... Make it outside the function

    If it is to be learned, make it outside. If it is data, pass it as an argument:

    >>> shift = Value(3.0)
    >>> [autograd.compile(lambda x: x + shift)([1.0]).data, autograd.compile(lambda x, y: x + y)([1.0], [3.0]).data]
    [4.0, 4.0]

    **Something that changes** between two calls with the same arguments, such as a counter or random numbers, is noticed in a
    second call:

    >>> import random
    >>> noisy = autograd.compile(lambda x: w * x + random.random())
    >>> noisy([1.0])
    Traceback (most recent call last):
        ...
    autograd.errors.RecordingError: ... recorded, the function gives 2... for example 0; called again, ... Pass what changes ...

    Pass it as an argument as well:

    >>> noisy = autograd.compile(lambda x, noise: w * x + noise)
    >>> noisy([1.0, 2.0], [0.5, 0.25]).data
    3.375
    """


class AnomalyError(AutogradError, FloatingPointError):
    """An operation made an infinity or a NaN inside ``with autograd.detect_anomaly():``.

    >>> from autograd import Value, detect_anomaly
    >>> with detect_anomaly():
    ...     Value(0.0).log()
    Traceback (most recent call last):
        ...
    autograd.errors.AnomalyError: log(0.0) is -inf ...
    """


class GradcheckError(AutogradError, AssertionError):
    """Finite differences contradict a derivative, or there is no derivative at the point (a kink)."""


class DrawError(AutogradError, RuntimeError):
    """A graph cannot be drawn: it is too large to read, or nothing installed can render it."""


def shown(x: object) -> str:
    """Return ``repr(x)``, or its beginning, for a message. It never raises, even if ``repr(x)`` does or is endless.

    >>> shown([1.0, "a"])
    "[1.0, 'a']"
    """
    try:
        return f"{_short.repr(x):.60}"
    except Exception:  # noqa: BLE001 - an object's __repr__ may raise anything
        return f"<{type(x).__name__}>"


_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60
