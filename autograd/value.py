"""``Value``: a number that remembers what it was computed from."""

from __future__ import annotations

import itertools
import math
import numbers
import operator
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from autograd import modes, ops
from autograd.chain_rule import reverse
from autograd.errors import GraphError, RecordingError, shown
from autograd.graph import topological_sort, validate

if TYPE_CHECKING:
    from collections.abc import Callable

    from autograd.ops import Op

_assignments = itertools.count(1)
_clock = 0  # how many assignments to leaves there have been
_compiling, _NEVER = modes.compiling.get, modes.NEVER
_modes = modes.active.get
_new = object.__new__
_one_at_a_time = threading.RLock()  # threads may differentiate graphs that share leaves
_QUICK = (float, int)  # these are quick to tell
_FROZEN = "its number for the first example would be used for all examples"


# The makers of methods. Each operator is bound to its row once, in the class body below: to look the row up in a generic call
# would double the time of recording. For the same reason each maker repeats the lines that create a Value.


def _unary(op: Op) -> Callable[[Value], Value]:
    on_floats = op.on_floats

    def method(self: Value) -> Value:
        out = _new(Value)
        out._data = on_floats(self._data)
        out._clock = _clock
        out._grad = 0.0
        out._row = op
        out._args = (self,)
        out._label = ""
        return modes.supervise(out) if _modes() else out

    return _documented(method, op)


def _binary(op: Op) -> Callable[[Value, Any], Value]:
    on_floats = op.on_floats

    def method(self: Value, other: Any) -> Value:
        if type(other) is not Value:
            other = _lift(other)
            if other is NotImplemented:
                return NotImplemented  # type: ignore[no-any-return]  # as Python wants it of operators
        out = _new(Value)
        out._data = on_floats(self._data, other._data)
        out._clock = _clock
        out._grad = 0.0
        out._row = op
        out._args = (self, other)
        out._label = ""
        return modes.supervise(out) if _modes() else out

    return _documented(method, op)


def _reflected(op: Op) -> Callable[[Value, Any], Value]:
    def method(self: Value, other: Any) -> Value:
        other = _lift(other)
        return other if other is NotImplemented else self.apply(op, (other, self))

    return _documented(method, op)


def _function(op: Op) -> Callable[[Value, Any], Any]:
    """Return a method that raises for a wrong argument itself. An operator leaves that to Python, by NotImplemented."""

    def method(self: Value, other: Any) -> Any:
        return op(self, other)

    return _documented(method, op)


def _documented(method: Callable[..., Value], op: Op) -> Callable[..., Value]:
    method.__name__ = op.name
    method.__qualname__ = f"Value.{op.name}"
    method.__doc__ = f"See ``autograd.math`` and the row ``{op.name}`` of ``autograd/ops.py``."
    return method


class Value(ops.Operand):
    """A number, its gradient, and the operation and arguments that it was computed from.

    Python's arithmetic, ``**`` and comparisons work, with plain numbers on either side. The usual functions are methods.
    Raises TypeError unless ``data`` is a real number.

    >>> x = Value(3.0, label="x")
    >>> y = x * x + 2 * x
    >>> y.backward()
    >>> y.data, x.grad                   # x² + 2x, and 2x + 2
    (15.0, 8.0)
    """

    __slots__ = ("_args", "_clock", "_data", "_grad", "_label", "_row")

    _display: ClassVar[Callable[[Value], str | None]] = staticmethod(lambda _: None)
    """Return the picture of a graph for notebooks. The package ``autograd.draw`` assigns its function here."""

    _sweep: ClassVar[Any] = staticmethod(reverse)
    """The sweep that ``backward`` runs. micrograd.py assigns one that calls the user's own functions on the way."""

    _args: tuple[Value, ...]
    _grad: Any
    _row: Op | None

    def __init__(self, data: float, label: str = "") -> None:
        self._data = data if type(data) is float else _number(data, "Value()")
        self._clock = _clock
        self._grad = 0.0
        self._row = None
        self._args = ()
        self._label = label if type(label) is str else _name(label)
        if _compiling() is not _NEVER:
            self._record(data)

    def _record(self, data: Any) -> None:
        """Note that this Value was made of ``data`` while the compiler calls a function.

        If ``data`` is a Value, this Value becomes the sum of that one alone. The same function, called by the user, may have
        a plain number there.
        """
        if isinstance(data, Value):
            same = ops.fsum(data)
            self._row, self._args = same._row, same._args
        elif began := _compiling():
            began.made[self] = modes.calling_line()

    # Reading and writing

    @property
    def data(self) -> float:
        """The number. In a leaf it can be assigned; Values computed from the leaf must then be computed again."""
        if _compiling():
            modes.refuse_while_compiling("the data of a Value was read", f"compute with v, or with v.detach(); {_FROZEN}")
        return self._data

    @data.setter
    def data(self, data: float) -> None:
        if self._args:
            msg = (
                f"the data of this Value cannot be assigned, because {self._row} computed it: assign to the leaves that it was "
                "computed from"
            )
            raise AttributeError(msg)
        if _compiling():
            modes.refuse_while_compiling("the data of a Value was assigned", "assign before or after the call")
        self._data = data if type(data) is float else _number(data, "data")
        global _clock  # noqa: PLW0603 - tick(), without the call, because each training step assigns to all parameters
        self._clock = _clock = next(_assignments)

    @property
    def grad(self) -> Any:
        """The derivative, by this Value, of the result that ``backward`` was last called on.

        In a leaf it is the sum over all calls. None can be assigned, as in PyTorch, and counts as 0. Anything else that is
        assigned must be a number; TypeError otherwise.
        """
        if _compiling():
            modes.refuse_while_compiling(
                "the grad of a Value was read", f"write gradient(y, [v], create_graph=True); {_FROZEN}"
            )
        return self._grad

    @grad.setter
    def grad(self, grad: float | None) -> None:
        if _compiling():
            modes.refuse_while_compiling("the grad of a Value was assigned", "assign before or after the call")
        self._grad = grad if type(grad) is float or grad is None else _number(grad, "grad")

    @property
    def label(self) -> str:
        """The name in messages and drawings. TypeError for anything but a str."""
        return self._label

    @label.setter
    def label(self, label: str) -> None:
        self._label = label if type(label) is str else _name(label)

    @property
    def op(self) -> Op | None:
        """The row of the table that made this Value; None for a variable. It cannot be assigned."""
        return self._row

    @property
    def args(self) -> tuple[Value, ...]:
        """The Values that ``op`` was applied to, in order; empty for a leaf. They cannot be assigned."""
        return self._args

    @property
    def is_leaf(self) -> bool:
        """Whether this Value is a variable or a constant, and not computed from others."""
        return not self._args

    def item(self) -> float:
        """Return the number. NumPy and PyTorch have this method, too."""
        return self.data

    def detach(self) -> Value:
        """Return a constant of the same number. No gradient flows through it to the Values that the number was computed from.

        >>> x = Value(3.0)
        >>> (x * x.detach()).backward()
        >>> x.grad                           # not 2x
        3.0
        """
        began = _compiling()
        if began and self not in began.made:  # a Value made inside the function is a constant already
            return ops.detach(self)  # type: ignore[no-any-return]  # a Value
        return _constant(self._data)

    def zero_grad(self) -> None:
        """Set ``grad`` to 0."""
        self.grad = 0.0

    # Differentiation

    def backward(self, gradient: float = 1.0) -> None:
        """Add to the ``grad`` of each variable the derivative of this Value by that variable.

        The ``grad`` of each intermediate Value is set, too, anew at each call. All derivatives are multiplied by
        ``gradient``. Raises GraphError for a constant, and if the ``data`` of a variable was assigned after it was used.

        >>> a = Value(2.0)
        >>> b = a + a
        >>> (b * b).backward()
        >>> a.grad, b.grad                   # 8a, 2b
        (16.0, 8.0)
        """
        modes.refuse_while_compiling("backward()", "differentiate what the compiled function returns, or use gradient()")
        gradient = _number(gradient, "backward()")
        if self._row is ops.constant:
            msg = (
                f"backward() of a constant ({self._data!r}): it was made by detach(), under no_grad, or from a plain number, "
                "so there is nothing to differentiate by"
            )
            raise GraphError(msg)
        order = topological_sort(self)
        with _one_at_a_time:
            before = [(leaf, leaf._grad) for leaf in order if not leaf._args]
            try:
                self._sweep(order, gradient)
                for mode in _modes():
                    mode.swept({node: node._grad for node in order})
                for leaf, grad in before:  # one addition for each call, so that two calls give exactly twice the gradient
                    leaf._grad = leaf._grad + (0.0 if grad is None else grad) if leaf._row is None else 0.0
            except BaseException:  # after an error, and after Ctrl-C, the leaves are as before
                for leaf, grad in before:
                    leaf._grad = grad
                raise

    # Python's protocols

    __hash__ = object.__hash__  # by identity, and as fast as possible

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Value):
            return other is self or _another(self, other)
        return _compared(ops.equal, operator.eq, self, other)

    def __ne__(self, other: object) -> Any:
        if isinstance(other, Value):
            return not (other is self or _another(self, other))
        return _compared(ops.not_equal, operator.ne, self, other)

    def __repr__(self) -> str:
        label = f", label={self._label!r}" if self._label else ""
        if _compiling():  # messages need a text, and the number would be that of the first example
            return f"<Value{label.replace(', ', ' ', 1)}, while a function is recorded>"
        return f"Value(data={self._data!r}, grad={self._grad!r}{label})"

    def __str__(self) -> str:
        modes.refuse_while_compiling("a Value was turned into text", f"do that with the result, after the call; {_FROZEN}")
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec and not _compiling() else str(self)

    def __bool__(self) -> bool:
        modes.refuse_while_compiling(
            "the truth of a Value was asked for (by if, and, or, not, max, min, sorted, or a comparison of NumPy's)",
            f"write autograd.math.where(condition, a, b), maximum or minimum; {_FROZEN}",
        )
        return self._data != 0.0

    def __lt__(self, other: Value | float) -> Any:
        return _compared(ops.less, operator.lt, self, other)

    def __le__(self, other: Value | float) -> Any:
        return _compared(ops.less_equal, operator.le, self, other)

    def __gt__(self, other: Value | float) -> Any:
        return _compared(ops.less, operator.lt, other, self)

    def __ge__(self, other: Value | float) -> Any:
        return _compared(ops.less_equal, operator.le, other, self)

    def __and__(self, other: object) -> Any:
        modes.refuse_while_compiling(
            "&, | or ^ of a Value",
            "conditions are numbers there, 0 or 1: write a * b for and, maximum(a, b) for or, abs(a - b) for ^",
        )
        return NotImplemented

    __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = __and__

    def __invert__(self) -> NoReturn:
        modes.refuse_while_compiling("~ of a Value", "conditions are numbers there, 0 or 1: write 1 - a for not")
        msg = f"~ changes the bits of a whole number or a bool, and a Value is neither: {self!r}"
        raise TypeError(msg)

    def __index__(self) -> NoReturn:
        modes.refuse_while_compiling("a Value was used as an index", f"write autograd.math.select(values, index); {_FROZEN}")
        msg = "a Value cannot be an index: use autograd.math.select(values, v), or int(v.data) for the plain number"
        raise TypeError(msg)

    def __float__(self, *_: Any) -> NoReturn:
        modes.refuse_while_compiling(
            "a Value was converted to a plain number (by float, int, round, or a function that is not of autograd.math)",
            f"write autograd.math.exp(v) and the like, or v.detach(); {_FROZEN}",
        )
        msg = (
            "a Value does not turn into a float by itself, because its graph would be lost silently: "
            "use the functions of autograd.math instead of math's (autograd.math.exp(v)), or v.data for the plain number"
        )
        raise TypeError(msg)

    __int__ = __round__ = __float__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        picture = type(self)._display(self)
        return {"text/plain": repr(self)} | ({"image/svg+xml": picture} if picture else {})

    def __copy__(self) -> Value:
        modes.refuse_while_compiling(
            "a Value was copied", "the copy would keep the number of the first example: copy it outside the function"
        )
        return _restore(self._row, self._args, self._data, self._grad, self._label, self._clock)

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        modes.refuse_while_compiling(
            "a Value was copied", "the copy would keep the number of the first example: copy it outside the function"
        )
        for node in topological_sort(self):
            if id(node) not in memo:
                args = tuple([memo[id(arg)] for arg in node._args])
                memo[id(node)] = _restore(node._row, args, node._data, node._grad, node._label, node._clock)
        copied: Value = memo[id(self)]
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        modes.refuse_while_compiling(
            "a Value was pickled", "the pickle would keep the number of the first example: pickle it outside the function"
        )
        # Pickle recurses into arguments. So it gets the whole graph in topological order: when it comes to a node, the node's
        # arguments are written already, and it does not recurse.
        if self._args and not any(self in graph.nodes for graph in _pickling.graphs):
            return _last, (_Topological(self),)
        return _restore, (self._row, self._args, self._data, self._grad, self._label)

    # Arithmetic

    def apply(self, op: Op, args: tuple[Any, ...]) -> Any:
        """Return ``op`` at ``args``: Values, numbers (as constants), or arrays of them. TypeError for anything else."""
        try:
            data = op.on_floats(*[a._data for a in args])
        except AttributeError:  # some are no Values. To ask each of them first would take as long as the operation
            data = None
        except (TypeError, ValueError):  # a masked array has a _data as well
            if all([isinstance(a, Value) for a in args]):
                raise
            data = None
        if type(data) is not float:
            return self._apply_to_mixed(op, args)
        out = _restore(op, args, data, 0.0, "", _clock)
        return modes.supervise(out) if _modes() else out

    def _apply_to_mixed(self, op: Op, args: tuple[Any, ...]) -> Any:
        if any([getattr(a, "ndim", 0) for a in args]):
            return op.elementwise(args)
        nodes = [_lift(a) for a in args]
        for a, node in zip(args, nodes, strict=True):
            if node is NotImplemented:
                raise op.refusal(a)
        return self.apply(op, tuple(nodes))

    __add__ = _binary(ops.add)
    __radd__ = _reflected(ops.add)
    __sub__ = _binary(ops.sub)
    __rsub__ = _reflected(ops.sub)
    __mul__ = _binary(ops.mul)
    __rmul__ = _reflected(ops.mul)
    __truediv__ = _binary(ops.div)
    __rtruediv__ = _reflected(ops.div)
    __rpow__ = _reflected(ops.power)
    __floordiv__ = _binary(ops.floordiv)
    __rfloordiv__ = _reflected(ops.floordiv)
    __mod__ = _binary(ops.mod)
    __rmod__ = _reflected(ops.mod)
    __neg__ = _unary(ops.neg)
    __abs__ = _unary(ops.absolute)
    _to_value = _binary(ops.power)
    _to_number = _binary(ops.powc)

    def __pow__(self, exponent: Value | float) -> Value:
        return self._to_value(exponent) if isinstance(exponent, Value) else self._to_number(exponent)

    def __divmod__(self, other: Value | float) -> Any:
        quotient = self.__floordiv__(other)
        return quotient if quotient is NotImplemented else (quotient, self % other)

    def __rdivmod__(self, other: float) -> Any:
        quotient = self.__rfloordiv__(other)
        return quotient if quotient is NotImplemented else (quotient, other % self)

    def __pos__(self) -> Value:
        return self

    __floor__ = _unary(ops.floor)

    def __ceil__(self) -> Any:
        return -ops.floor(-self)

    def __trunc__(self) -> Any:
        return ops.copysign(ops.floor(abs(self)), self)

    # Functions, under Python's names and, where those differ, NumPy's. np.exp of an array of Values calls the method of each.

    abs = fabs = _unary(ops.absolute)
    acos = arccos = _unary(ops.acos)
    acosh = arccosh = _unary(ops.acosh)
    asin = arcsin = _unary(ops.asin)
    asinh = arcsinh = _unary(ops.asinh)
    atan = arctan = _unary(ops.atan)
    atanh = arctanh = _unary(ops.atanh)
    cbrt = _unary(ops.cbrt)
    cos = _unary(ops.cos)
    arctan2 = _function(ops.atan2)
    copysign = _function(ops.copysign)
    cosh = _unary(ops.cosh)
    erf = _unary(ops.erf)
    exp = _unary(ops.exp)
    exp2 = _unary(ops.exp2)
    expm1 = _unary(ops.expm1)
    floor = __floor__
    fmod = _function(ops.fmod)
    log = _unary(ops.log)
    log10 = _unary(ops.log10)
    log1p = _unary(ops.log1p)
    log2 = _unary(ops.log2)
    relu = _unary(ops.relu)
    rint = _unary(ops.rint)
    sigmoid = _unary(ops.sigmoid)
    sign = _unary(ops.sign)
    sin = _unary(ops.sin)
    sinh = _unary(ops.sinh)
    softplus = _unary(ops.softplus)
    sqrt = _unary(ops.sqrt)
    square = _unary(ops.square)
    tan = _unary(ops.tan)
    tanh = _unary(ops.tanh)

    ceil = __ceil__
    trunc = __trunc__

    def maximum(self, *others: Value | float) -> Any:
        """Return the largest of this and ``others``; NaN if one of them is NaN."""
        return ops.maximum(self, *others)

    def minimum(self, *others: Value | float) -> Any:
        """Return the smallest of this and ``others``; NaN if one of them is NaN."""
        return ops.minimum(self, *others)

    def hypot(self, *others: Value | float) -> Any:
        """Return the Euclidean norm of the point whose coordinates are this and ``others``."""
        return ops.hypot(self, *others)

    def logaddexp(self, other: Value | float) -> Any:
        """Return ``log(exp(self) + exp(other))``, without overflow."""
        return ops.logsumexp(self, other)

    def signbit(self) -> Any:
        """Return whether the number is below 0, or is -0.0."""
        return ops.copysign(1.0, self) < 0.0

    def isfinite(self) -> Any:
        """Return whether the number is neither infinite nor NaN."""
        return self.abs() <= sys.float_info.max

    def isinf(self) -> Any:
        """Return whether the number is infinite."""
        return self.abs() == math.inf

    def isnan(self) -> Any:
        """Return whether the number is NaN."""
        return _compared(ops.not_equal, operator.ne, self, self)  # only NaN differs from itself

    def degrees(self) -> Value:
        """Return the angle in degrees, if this is in radians."""
        return self * (180.0 / math.pi)

    def radians(self) -> Value:
        """Return the angle in radians, if this is in degrees."""
        return self * (math.pi / 180.0)

    rad2deg, deg2rad = degrees, radians

    def conjugate(self) -> Value:
        """Return the Value itself: a real number is its own conjugate."""
        return self

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Return NumPy's ``ufunc`` of ``inputs``, one of which is this Value.

        NumPy applies most functions to an array of objects by the operator, or by the method of the function's name. This
        method adds the functions that NumPy does not have for objects (``isnan``), and those whose first argument may be a
        plain number (``arctan2(1.0, v)``).
        """
        if method == "__call__" and not options:
            name = ufunc.__name__
            if name in _OF_TWO:
                return _OF_TWO[name](*inputs)
            if name in _COMPARING and not any(getattr(x, "ndim", 0) for x in inputs):
                return _COMPARING[name](*[x if isinstance(x, Value) else _comparable(x) for x in inputs])
            if len(inputs) == 1 and hasattr(self, name):
                return getattr(self, name)()
        return ops.of_objects(getattr(ufunc, method), inputs, options)


_OF_TWO: dict[str, Callable[..., Any]] = {
    "arctan2": ops.atan2,
    "copysign": ops.copysign,
    "divmod": lambda x, y: (x // y, x % y),  # divmod() of an array would come back to here
    "float_power": operator.pow,
    "fmod": ops.fmod,
    "heaviside": lambda x, at_0: ops.where(x == 0.0, at_0, (ops.sign(x) + 1.0) * 0.5),
    "hypot": ops.hypot,
    "logaddexp": ops.logsumexp,
    "logaddexp2": lambda x, y: ops.logsumexp(x * ops.LOG_2, y * ops.LOG_2) / ops.LOG_2,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
}
"""NumPy's functions of two arguments, for arguments one of which is a Value, by name."""
_COMPARING: dict[str, Callable[[Any, Any], Any]] = {
    "equal": operator.eq,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "less": operator.lt,
    "less_equal": operator.le,
    "not_equal": operator.ne,
}
"""NumPy's comparisons, by name. NumPy would turn their results into bools."""


def tick() -> int:
    """Advance the clock of all graphs and return its time. Leaves that are made or assigned afterwards are not earlier."""
    global _clock  # noqa: PLW0603 - the one clock of all graphs
    _clock = next(_assignments)
    return _clock


def _number(data: Any, where: str) -> float:
    """Return ``data`` as a float; TypeError or OverflowError, for ``where``, unless a float can hold it."""
    try:
        if (number := _real(data)) is not None:
            return number
    except OverflowError:
        msg = f"{where} expects a number that a float can hold, below 1.8e308 in size, not a larger {type(data).__name__}"
        raise OverflowError(msg) from None
    advice = ""
    if isinstance(data, Value):
        if _compiling() is not _NEVER and where == "Value()":
            return data._data
        advice = "; it is a Value already: use x itself, or x.data for its number"
    elif hasattr(data, "__len__") and not isinstance(data, str | bytes):
        advice = "; for a list of Values: [Value(x) for x in data]"
    msg = f"{where} expects a real number, not {type(data).__name__} {shown(data)}{advice}"
    raise TypeError(msg)


def _real(x: Any) -> float | None:
    """Return ``x`` as a float if it is a real number, else None; OverflowError for a whole number that no float can hold."""
    if isinstance(x, _QUICK):  # isinstance(x, numbers.Real) takes ten times as long
        return float(x)
    if hasattr(x, "dtype"):  # numpy.timedelta64 counts as numbers.Real, and a masked number would become NaN
        is_number = getattr(x, "shape", None) == () and getattr(x.dtype, "kind", "") in tuple("biuf")
        return float(x) if is_number and not getattr(x, "mask", False) else None
    return float(x) if isinstance(x, numbers.Real) else None


def _name(label: Any) -> str:
    """Return ``label`` if it is of a subclass of str; TypeError otherwise."""
    if isinstance(label, str):
        return label
    msg = f"the label of a Value must be a str, not {type(label).__name__} {shown(label)}"
    raise TypeError(msg)


def _compared(op: Op, on_floats: Callable[[float, float], bool], a: Any, b: Any) -> Any:
    """Return the comparison of ``a`` and ``b``, one of which is a Value: a bool, or a node while a function is recorded."""
    left, right = [v._data if isinstance(v, Value) else _comparable(v) for v in (a, b)]
    if left is None or right is None:
        return NotImplemented
    answer = on_floats(left, right)  # TypeError for the order of complex numbers
    if not modes.is_compiling():
        return answer
    if not isinstance(a, Value):
        a = _nearest(left, op, upwards=op is not ops.less)
    if not isinstance(b, Value):
        b = _nearest(right, op, upwards=op is ops.less)
    return op(a, b)


def _comparable(x: Any) -> Any:
    """Return ``x`` as a number that Python can compare with a float; None if it is not a number."""
    try:
        number = _real(x)
    except OverflowError:
        return x  # Python compares whole numbers of any size
    return x if number is None and isinstance(x, numbers.Number) else number  # Decimals and complex numbers, too


def _nearest(x: Any, op: Op, *, upwards: bool) -> float:
    """Return the float that stands for the number ``x`` in the comparison ``op``.

    If ``x`` lies between two floats, it is the upper or the lower one for < and <=, and NaN, which equals no number, for ==.
    For example, ``v < 2**53 + 1`` becomes ``v < 2**53 + 2``: of the floats, the same ones are below.
    """
    if isinstance(x, numbers.Complex):
        if x.imag:
            return math.nan
        x = x.real
    try:
        number = float(x)
    except OverflowError:
        number = math.inf if x > 0 else -math.inf
    if number == x or number != number:  # noqa: PLR0124 - only NaN differs from itself
        return number
    if op is ops.equal or op is ops.not_equal:
        return math.nan
    return number if (number > x) == upwards else math.nextafter(number, math.inf if upwards else -math.inf)


def _another(a: Value, b: Value) -> bool:
    """Return False, for two different Values. RecordingError if the function that is recorded may mean their numbers."""
    examples = modes.compiling.get().examples
    if examples and any(not examples.isdisjoint(topological_sort(x)) for x in (a, b)):
        msg = (
            "two Values were compared by == or != (or in, index, count, remove) in a function that autograd.compile records: "
            "these ask whether they are the same Value. To compare their numbers, write autograd.math.where(a - b == 0, x, y); "
            f"{_FROZEN}"
        )
        raise RecordingError(msg)
    return False


def _constant(data: float) -> Value:
    return _restore(ops.constant, (), data, 0.0, "", _clock)


def _lift(x: Any) -> Value:
    """Return ``x`` if it is a Value, a constant if it is a number, and NotImplemented otherwise."""
    if isinstance(x, Value):
        return x
    number = x if type(x) is float else _real(x)
    return NotImplemented if number is None else _constant(number)


def _restore(  # noqa: PLR0913, PLR0917 - one for each slot
    op: Op | None, args: tuple[Value, ...], data: float, grad: float | None, label: str, clock: int = 0
) -> Value:
    """Return a Value with exactly these attributes."""
    out = _new(Value)
    out._data = data
    out._clock = clock
    out._grad = grad
    out._row = op
    out._args = args
    out._label = label
    return out


# Pickling. The nodes of a graph go into the pickle one after the other. The last one is the root.


class _Topological:
    """The nodes of a graph, pickled as a list. Only the pickler that has met it keeps it alive."""

    def __init__(self, root: Value) -> None:
        order = topological_sort(root)
        validate(order)  # clocks are not pickled
        self.nodes = dict.fromkeys(order)
        _pickling.graphs.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (), None, iter(self.nodes)


class _Pickling(threading.local):
    """The graphs that this thread is pickling."""

    def __init__(self) -> None:
        self.graphs: weakref.WeakSet[_Topological] = weakref.WeakSet()


_pickling = _Pickling()


def _last(nodes: list[Value]) -> Value:
    return nodes[-1]
