"""The tree of exceptions: everything that the package raises about graphs, beside Python's own TypeError and ValueError.

AutogradError
    GraphError        a graph that cannot be walked or differentiated
    RecordingError    a program that autograd.compile cannot record
    AnomalyError      an infinity or NaN, found by ``detect_anomaly``
    GradcheckError    a derivative that finite differences contradict
    DrawError         a graph that cannot be drawn or rendered
"""


class AutogradError(Exception):
    """The base of them all, so that one ``except`` catches what this package raises by itself."""


class GraphError(AutogradError, RuntimeError):
    """The graph cannot be walked or differentiated.

    A graph remembers which Values it was computed from, not their old numbers. Assign to a leaf's ``data`` after the graph
    was recorded and the derivative could only be wrong, so it is refused:

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
    """A function does what ``autograd.compile`` cannot record.

    The function is called once, on Values that stand for every example and every later call. What it does with their numbers
    behind the graph's back would be frozen, so it is refused.
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
