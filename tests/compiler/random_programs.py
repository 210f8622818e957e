"""Random functions of one example, as the text of Python functions: easily read, and made shorter, when one of them fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import Value, math, no_grad

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

SPECIAL = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0, -1.0, 1e308, -1e308, 1e200, 1e-200, 1e-320, 710.0, -746.0, 0.5, 1e16]
TAME = [0.0, 1.0, -1.0, 0.5, 2.0, -0.5]


# What the programs are made of, besides the functions of autograd.math


def chosen(values: Sequence[Any], start: int, count: int) -> list[Any]:
    """``count`` of the ``values``, from ``start`` on, and from the first one again after the last."""
    return [values[(start + i) % len(values)] for i in range(count)]


def added(w: Sequence[Any], x: Sequence[Any]) -> Any:
    a = 0.0
    for wi, xi in zip(w, x, strict=True):
        a = a + wi * xi
    return a


def added_to_bias(w: Sequence[Any], x: Sequence[Any]) -> Any:
    a = w[0]
    for wi, xi in zip(w, x, strict=True):
        a = a + xi * wi
    return a


def subtracted(w: Sequence[Any], x: Sequence[Any]) -> Any:
    a = x[0]
    for wi, xi in zip(w, x, strict=True):
        a = a - wi * xi
    return a


def mixed(w: Sequence[Any], x: Sequence[Any]) -> Any:
    a = w[0] * x[0]
    for i in range(1, len(x)):
        a = a - x[i] * w[i] if i % 2 else a + w[i] * x[i] + x[i]
    return a


def summed(w: Sequence[Any], x: Sequence[Any]) -> Any:
    return sum(wi * xi for wi, xi in zip(w, x, strict=True))


def fsummed(w: Sequence[Any], x: Sequence[Any]) -> Any:
    return math.fsum([wi * xi for wi, xi in zip(w, x, strict=True)] + [x[-1]])


def squares(w: Sequence[Any], x: Sequence[Any]) -> Any:
    return sum((wi - xi) ** 2 for wi, xi in zip(w, x, strict=True))


SCALAR_PRODUCTS = {f.__name__: f for f in (added, added_to_bias, subtracted, mixed, summed, fsummed, squares)}
SCALAR_PRODUCTS["sumprod"] = math.sumprod


def layer(how: str, w: Sequence[Any], x: Sequence[Any], bias: Sequence[Any] = ()) -> list[Any]:
    """A scalar product of ``x`` with each run of as many weights, plus a bias each if there are any."""
    size = len(x)
    out = [SCALAR_PRODUCTS[how](w[i : i + size], x) for i in range(0, len(w), size)]
    return [a + b for a, b in zip(out, bias, strict=True)] if bias else out


def attention(how: str, x: Sequence[Any], width: int, w: Sequence[Any], *, causal: bool) -> list[Any]:
    """What each position in ``x``, of ``width`` numbers, attends to among the others, those before it if ``causal``."""
    rows = [x[i : i + width] for i in range(0, len(x), width)]
    keys = [[a * b for a, b in zip(w, row, strict=True)] for row in rows]
    out = []
    for i, row in enumerate(rows):
        seen = range(i + 1 if causal else len(rows))
        weights = math.softmax([SCALAR_PRODUCTS[how](row, keys[j]) * 0.5 for j in seen])
        out += [SCALAR_PRODUCTS[how](weights, [rows[j][c] for j in seen]) for c in range(width)]
    return out


def ragged(how: str, x: Sequence[Any], y: Sequence[Any]) -> list[Any]:
    """Scalar products of ever longer beginnings."""
    return [SCALAR_PRODUCTS[how](x[: i + 1], y[: i + 1]) for i in range(min(len(x), len(y)))]


def products(how: str, x: Sequence[Any], y: Sequence[Any], width: int) -> list[Any]:
    """Rows of ``x`` by rows of ``y``."""
    return [
        SCALAR_PRODUCTS[how](x[i : i + width], y[j : j + width])
        for i in range(0, len(x), width)
        for j in range(0, len(y), width)
    ]


def without_gradient(a: Any) -> Any:
    with no_grad():
        return math.tanh(a) * 2.0


def outer(x: Sequence[Any], y: Sequence[Any]) -> list[Any]:
    return [a * b for a in x for b in y]


def slide(how: str, w: Sequence[Any], x: Sequence[Any], stride: int) -> list[Any]:
    """A convolution without padding."""
    return [SCALAR_PRODUCTS[how](w, x[i : i + len(w)]) for i in range(0, len(x) - len(w) + 1, stride)]


def each(f: Callable[[Any], Any], x: Sequence[Any]) -> list[Any]:
    return [f(a) for a in x]


def tree(f: Callable[[Any, Any], Any], x: Sequence[Any]) -> Any:
    """Two by two, until there is one."""
    while len(x) > 1:
        x = [f(*x[i : i + 2]) if len(x) > i + 1 else x[i] for i in range(0, len(x), 2)]
    return x[0]


def chained(f: Callable[[Any, Any], Any], x: Sequence[Any]) -> Any:
    """One after the other, the last result first or second."""
    a = x[0]
    for i, b in enumerate(x[1:]):
        a = f(b, a) if i % 3 == 1 else f(a, b)
    return a


def repeated(f: Callable[[Any, Any], Any], x: Sequence[Any], steps: int) -> list[Any]:
    """What becomes of each of ``x`` after so many steps, each of which takes its neighbour's result, too."""
    for _ in range(steps):
        x = [f(a, b) for a, b in zip(x, [*x[1:], x[0]], strict=True)]
    return [*x]


PARTS = {
    f.__name__: f
    for f in (chosen, layer, attention, ragged, products, without_gradient, outer, slide, each, tree, chained, repeated)
}


@dataclass
class Array:
    """An argument, or a part of one: an array of numbers for each example."""

    path: str
    shape: tuple[int, ...]
    below: int = 0
    """Whole numbers from 0 to one less; 0: any numbers."""


@dataclass
class Program:
    """A function of one example, and everything else that a test of it needs."""

    source: str
    form: dict[str, Any]
    """Arrays by the names of arguments, or tuples or dicts of arrays."""
    variables: int
    reduction: str | None
    wild: bool

    def function(self, variables: Sequence[Value]) -> Callable[..., Any]:
        """The function, which captures the ``variables``."""
        names: dict[str, Any] = {"math": math, "w": list(variables), "Value": Value, **PARTS}
        exec(self.source, names)  # noqa: S102 - its own source
        function: Callable[..., Any] = names["f"]
        return function

    def arguments(self, rng: random.Random, batch: int) -> dict[str, Any]:
        """Numbers for ``batch`` examples."""
        return {name: _numbers(form, rng, batch, wild=self.wild) for name, form in self.form.items()}

    def theta(self, rng: random.Random) -> list[float]:
        """Numbers for the variables."""
        return [number(rng, wild=self.wild) for _ in range(self.variables)]


def number(rng: random.Random, *, wild: bool) -> float:
    """A number that float32 has as well."""
    if wild and rng.random() < 0.25:
        return rng.choice(SPECIAL)
    if rng.random() < 0.15:
        return rng.choice(TAME)
    return float(np.float32(rng.uniform(-2, 2)))


def _numbers(form: Any, rng: random.Random, batch: int, *, wild: bool) -> Any:
    if isinstance(form, dict):
        return {name: _numbers(item, rng, batch, wild=wild) for name, item in form.items()}
    if isinstance(form, tuple):
        return tuple([_numbers(item, rng, batch, wild=wild) for item in form])
    count = int(np.prod((batch, *form.shape)))
    if form.below:
        drawn = np.array([rng.randrange(form.below) for _ in range(count)], dtype=np.int64)
    else:
        drawn = np.array([number(rng, wild=wild) for _ in range(count)], dtype=float)
    return drawn.reshape(batch, *form.shape)


def example(arguments: Any, which: int) -> Any:
    """Example ``which``, of Values, as a compiled function passes it on."""
    if isinstance(arguments, dict):
        return {name: example(item, which) for name, item in arguments.items()}
    if isinstance(arguments, tuple):
        return tuple([example(item, which) for item in arguments])
    return _values(arguments[which].tolist())


def _values(x: Any) -> Any:
    return [_values(item) for item in x] if isinstance(x, list) else Value(float(x))


# Writing programs

UNARY = [
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "degrees", "erf", "erfc", "exp", "exp2", "expm1",
    "fabs", "gamma", "lgamma", "log", "log10", "log1p", "log2", "radians", "relu", "sigmoid", "sin", "sinh", "softplus", "sqrt",
    "tan", "tanh",
]  # fmt: skip
INTO_DOMAIN = {
    **dict.fromkeys(["acos", "asin", "atanh"], "0.75 * math.sin({})"),
    **dict.fromkeys(["acosh"], "math.fabs({}) + 1.25"),
    **dict.fromkeys(["log", "log10", "log2", "sqrt", "cbrt"], "math.fabs({}) + 0.25"),
    **dict.fromkeys(["log1p", "gamma", "lgamma"], "math.clip(math.fabs({}), 0.5, 4.0)"),
    **dict.fromkeys(["cosh", "exp", "exp2", "expm1", "sinh"], "math.clip({}, -3.0, 3.0)"),
    **dict.fromkeys(["tan"], "math.sin({})"),
}
BINARY = [
    "{} + {}", "{} - {}", "{} * {}", "math.maximum({}, {})", "math.minimum({}, {})", "math.copysign({}, {})",
    "math.atan2({}, {})", "math.hypot({}, {})", "{} + 2.0 * {}", "math.fma({}, {}, 0.5)", "-{} - {}", "1.0 * {} - 1 * {}",
    "math.clip({}, {}, 0.5)", "math.clip(0.25, {}, {})", "math.maximum({}, 0.25, {})", "math.minimum({}, {}, 1.0)",
]  # fmt: skip
GUARDED = [
    ("{} / {}", "{} / (1.0 + {} * {})"),
    ("math.fmod({}, {})", "math.fmod({}, math.fabs({}) + 0.75)"),
    ("math.remainder({}, {})", "math.remainder({}, math.fabs({}) + 0.75)"),
    ("{} % {}", "{} % (math.fabs({}) + 0.75)"),
    ("{} // {}", "{} // (math.fabs({}) + 0.75)"),
    ("{} ** {}", "(math.fabs({}) + 0.5) ** math.sin({})"),
    ("math.pow({}, {})", "math.pow(math.fabs({}) + 0.5, math.cos({}))"),
    ("math.log({}, {})", "math.log(math.fabs({}) + 0.5, math.fabs({}) + 2.0)"),
    ("math.xlogy({}, {})", "math.xlogy({}, math.fabs({}) + 0.5)"),
]
WITH_NUMBERS = [
    "{} + 0.0", "{} - 0.0", "0.0 - {}", "{} * 1.0", "{} * 0.0", "{} * -1.0", "{} ** 2", "{} ** 2.0", "{} ** 3", "{} ** 1",
    "{} ** 0", "-{}", "+{}", "2 * {}", "{} / 2.0", "1 - {}", "math.maximum({}, 0.0)", "math.minimum(1.0, {})",
    "math.ldexp({}, -1)", "math.radians({})", "{} + 1e-3", "{}.square()", "abs({})", "0.5 ** math.sin({})", "{} - 1",
    "math.clip({}, -1.0, 1.0)", "2.0 ** math.sin({})", "1.0 / (3.0 + math.sin({}))",
    "{} % 1.5", "{} // 0.75", "2.5 % (1.5 + math.sin({}))", "{}.rint()", "{0} - {0}.trunc()", "divmod({}, 0.5)[1]",
]  # fmt: skip
POWERS = ["{} ** -1", "{} ** 0.5", "{} ** -2.0", "{} ** 1.5", "{} ** -0.5", "1 / {}", "0.0 ** {}", "2.0 ** {}", "{} ** 4.0"]
MANY = [
    "math.fsum({})", "math.prod({})", "math.logsumexp({})", "math.hypot(*{})", "sum({})", "math.prod({}, start=2.0)",
    "tree(math.maximum, {})", "tree(math.minimum, {})", "tree(lambda a, b: a + b, {})", "tree(lambda a, b: a * b, {})",
    "sum({}) / 3", "tree(math.hypot, {})", "chained(math.maximum, {})", "chained(math.minimum, {})",
    "chained(lambda a, b: a * b, {})", "chained(math.maximum, [0.0, *{}])", "chained(math.hypot, {})",
    "math.maximum(*{})", "math.minimum(0.5, *{})", "math.var({})",
]  # fmt: skip
LISTS = ["math.softmax({})", "math.log_softmax({})", "each(math.tanh, {})", "each(math.relu, {})", "each(lambda a: a * a, {})"]
LISTS += ["each(math.sigmoid, {})", "each(lambda a: -a, {})", "each(lambda a: a.detach(), {})", "{}[::-1]", "{}[::2]"]
STEPS = ["math.sin(a)", "math.tanh(a + b)", "0.5 * (a + b)", "a + w[0] * math.sin(b - a)", "math.relu(a) - math.cos(b)"]
STEPS += ["math.hypot(a, b) / 2", "math.sumprod([w[0], a], [math.sin(b), 0.5])", "math.where(a < b, math.sin(a), b)"]
STEPS += ["math.clip(a, -0.5, b)", "a % 1.5 + 0.25 * b", "math.maximum(math.sin(a), b, w[0])"]
STEPS += ["math.where(a == 0, b, math.sin(a))", "math.where(b != 0.5, a - 0.5 * b, w[0])"]
STEPS += ["math.minimum(a, math.maximum(b, -a.detach()))", "math.prod([a, 0.5, math.cos(b)])", "math.sin(-a) - w[0]"]
DETACHED = ["{0}.detach()", "{0}.detach() * {0}", "{0} - math.tanh({0}).detach()", "{0} * without_gradient({0})"]
CONDITIONS = ["{} < {}", "{} <= {}", "{} > {}", "{} >= {}", "{} > 0", "0.5 <= {}", "{} >= 1.0"]
CONDITIONS += ["math.isfinite({})", "math.isinf({})", "math.isnan({})"]
EQUALITIES = ["{} == 0", "{} != 0", "1.0 == {}", "2 != {}", "{} == 0.5"]


@dataclass
class Writer:
    """A program on its way: lines, and what later ones can use."""

    rng: random.Random
    wild: bool
    scalars: list[str] = field(default_factory=list)
    vectors: list[tuple[str, int]] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)
    indices: list[tuple[str, int]] = field(default_factory=list)
    variables: int = 1
    lines: list[str] = field(default_factory=list)
    names: int = 0

    # What to use

    def scalar(self) -> str:
        """A name, mostly a recent one."""
        rng = self.rng
        if rng.random() < 0.25:
            return f"w[{rng.randrange(self.variables)}]"
        if rng.random() < 0.5 and len(self.scalars) > 4:
            return rng.choice(self.scalars[-4:])
        return rng.choice(self.scalars)

    def operand(self) -> str:
        """A name, or a number now and then."""
        return self.rng.choice(["0.0", "1.0", "-1.0", "2", "0.25"]) if self.rng.random() < 0.08 else self.scalar()

    def vector(self, longest: int) -> tuple[str, int]:
        """A list of scalars, and its length."""
        rng = self.rng
        known = [(name, size) for name, size in self.vectors if size <= longest]
        if known and rng.random() < 0.7:
            return rng.choice(known[-4:] if rng.random() < 0.6 else known)
        size = rng.randint(1, max(1, min(longest, 6)))
        if rng.random() < 0.3:
            return self.weights(size), size
        return f"[{', '.join([self.scalar() for _ in range(size)])}]", size

    def condition(self) -> str:
        """A comparison, of a whole number with a number now and then."""
        rng = self.rng
        if self.indices and rng.random() < 0.3:
            return rng.choice(EQUALITIES).format(rng.choice(self.indices)[0])
        return rng.choice([*CONDITIONS, *EQUALITIES]).format(self.scalar(), self.scalar())

    def weights(self, count: int) -> str:
        start = self.rng.randrange(self.variables)
        if start + count <= self.variables:
            return f"w[{start}:{start + count}]"
        return f"chosen(w, {start}, {count})"

    def product(self) -> str:
        return repr(self.rng.choice(list(SCALAR_PRODUCTS)))

    # Lines

    def let(self, text: str, size: int | None = None) -> str:
        """A new name for what ``text`` gives, a list of ``size`` if that is said."""
        self.names += 1
        name = f"v{self.names}" if size is None else f"h{self.names}"
        self.lines.append(f"{name} = {text}")
        return name

    def keep(self, text: str) -> None:
        """Let ``text``, a scalar, be used."""
        if not self.wild and self.rng.random() < 0.5:
            text = self.rng.choice(["math.sin({})", "math.tanh({})", "math.atan({})", "0.5 * ({})", "({}) / 3.0"]).format(text)
        self.scalars.append(self.let(text))

    def keep_list(self, text: str, size: int) -> None:
        if not self.wild and self.rng.random() < 0.6:
            text = f"each({self.rng.choice(['math.sin', 'math.tanh', 'math.relu', 'math.sigmoid'])}, {text})"
        name = self.let(text, size)
        self.vectors.append((name, size))
        self.scalars += [f"{name}[{i}]" for i in {0, size - 1, self.rng.randrange(size)}]

    def irregular(self, room: int) -> int:  # noqa: C901, PLR0911, PLR0912, PLR0915 - a menu
        """Write a line; about how many nodes it makes."""
        rng = self.rng
        kind = rng.randrange(13)
        if kind <= 2:
            name = rng.choice(UNARY)
            arg = self.scalar()
            if not self.wild or rng.random() < 0.3:
                arg = INTO_DOMAIN.get(name, "{}").format(arg)
            self.keep(f"math.{name}({arg})")
            return 3
        if kind <= 4:
            if rng.random() < 0.6:
                self.keep(rng.choice(BINARY).format(self.scalar(), self.operand()))
                return 4
            raw, guarded = rng.choice(GUARDED)
            a, b = self.scalar(), self.scalar()
            self.keep((raw if self.wild and rng.random() < 0.7 else guarded).format(a, b, b))
            return 6
        if kind <= 6:
            some = [*WITH_NUMBERS, *POWERS] if self.wild else WITH_NUMBERS
            self.scalars.append(self.let(rng.choice(some).format(self.scalar())))
            return 3
        if kind == 7:
            text, size = self.vector(room)
            self.keep(rng.choice(MANY).format(text))
            return 2 * size + 1
        if kind == 8:
            text, size = self.vector(room)
            pattern = rng.choice(LISTS)
            self.keep_list(pattern.format(text), (size + 1) // 2 if pattern.endswith("[::2]") else size)
            return 3 * size
        if kind == 9:
            if self.masks and rng.random() < 0.6:
                mask = rng.choice(self.masks)
            else:
                mask = self.let(self.condition())
                self.masks.append(mask)
            choice = rng.randrange(5)
            if choice == 4:
                self.indices.append((self.let(f"math.where({mask}, 1.0, 0.0)"), 2))
            elif choice == 0:
                self.keep(f"{mask} * {self.scalar()}")
            elif choice == 1 and len(self.masks) > 1:
                self.keep(f"math.where({mask} * {rng.choice(self.masks)}, {self.scalar()}, {self.operand()})")
            else:
                self.keep(f"math.where({mask}, {self.scalar()}, {self.operand()})")
            return 2
        if kind == 10:
            a = self.scalar()
            self.scalars.append(self.let(rng.choice(DETACHED).format(a)))
            return 1
        if kind == 11:
            x, size = self.vector(3)
            self.keep_list(f"repeated(lambda a, b: {rng.choice(STEPS)}, {x}, {rng.randint(10, 40)})", size)
            return 40 * size
        p, size = self.vector(max(1, room // 2))
        if rng.random() < 0.5:
            self.keep(f"math.dist({p}, {self.weights(size)})")
        else:
            self.keep(f"math.sumprod({p}, {p})")
        return 4 * size

    def lookup(self, room: int) -> int:
        """A selection by an index."""
        rng = self.rng
        index, size = rng.choice(self.indices)
        choice = rng.choice([0, 1, 1, 1, 2, 3, 3, 4])
        if choice == 0:
            self.keep(f"math.select({self.weights(size)}, {index})")
        elif choice == 1:
            table = ", ".join([self.operand() for _ in range(size)])
            self.keep(f"{self.scalar()} + math.select([{table}], {index})")
        elif choice == 2:
            table = ", ".join([f"{rng.choice([0.5, 1.0, -2.0])}" for _ in range(size)])
            self.keep(f"math.select([{table}], {index}) * {self.scalar()}")
        elif choice == 3:
            width = rng.randint(1, max(1, min(4, room // (size + 1))))
            same = rng.choice([index, rng.choice([i for i, n in self.indices if n == size])])
            start = rng.randrange(self.variables)
            table = f"chosen(w, {start}, {size * width})"
            self.keep_list(f"[math.select({table}[i::{width}], {index} if i % 2 else {same}) for i in range({width})]", width)
            return width * 2
        else:
            name = self.let(f"math.select([{', '.join([str(float(rng.randrange(size))) for _ in range(size)])}], {index})")
            self.indices.append((name, size))
        return 3

    def regular(self, room: int) -> int:
        """Write a line of many like nodes; about how many."""
        rng = self.rng
        kind = rng.randrange(7)
        if kind <= 1:
            x, size = self.vector(max(2, room // 3))
            columns = rng.randint(1, max(1, min(6, room // (size + 1))))
            bias = f", {self.weights(columns)}" if rng.random() < 0.6 else ""
            how = "'added'" if rng.random() < 0.3 else self.product()
            self.keep_list(f"layer({how}, {self.weights(columns * size)}, {x}{bias})", columns)
            return 2 * columns * (size + 2)
        if kind == 2:
            width, length = rng.randint(1, 3), rng.randint(2, 4)
            names = ", ".join([self.scalar() for _ in range(width * length)])
            text = f"attention({self.product()}, [{names}], {width}, {self.weights(width)}, causal={rng.random() < 0.6})"
            self.keep_list(text, width * length)
            return length * (4 * length + 3) * (width + 1)
        if kind == 3:
            x, m = self.vector(max(1, min(5, room // 2)))
            y, n = self.vector(max(1, min(5, room // m)))
            self.keep_list(f"outer({x}, {y})", m * n)
            return 2 * m * n
        if kind == 4:
            x, size = self.vector(max(2, room // 2))
            width, stride = rng.randint(1, max(1, min(3, size))), rng.randint(1, 2)
            self.keep_list(f"slide({self.product()}, {self.weights(width)}, {x}, {stride})", (size - width) // stride + 1)
            return 4 * size
        if kind == 5:
            x, m = self.vector(6)
            y, n = self.vector(6)
            self.keep_list(f"ragged({self.product()}, {x}, {y})", min(m, n))
            return 2 * min(m, n) ** 2
        width, m, n = rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, 3)
        x, y = [", ".join([self.scalar() for _ in range(width * count)]) for count in (m, n)]
        self.keep_list(f"products({self.product()}, [{x}], [{y}], {width})", m * n)
        return m * n * (2 * width + 2)


def random_program(rng: random.Random, *, wild: bool = False) -> Program:
    """A program of 1 to some 200 nodes."""
    writer = Writer(rng, wild)
    form = _form(rng, writer)
    writer.variables = rng.choice([1, 2, 3, 5, 8, 13, 30])
    writer.scalars += [f"w[{i}]" for i in range(min(3, writer.variables))]
    writer.vectors.append((f"w[:{min(writer.variables, 4)}]", min(writer.variables, 4)))
    room = int(min(200.0, 2.0 + rng.expovariate(1 / 25)))
    regular = rng.choice([0.1, 0.4, 0.7])
    while room > 0:
        if writer.indices and rng.random() < 0.35:
            room -= writer.lookup(room)
        else:
            room -= writer.regular(room) if rng.random() < regular else writer.irregular(room)
    reduction = rng.choice(["mean", "mean", "sum", None])
    result = _array_result(rng, writer) if reduction is None else _scalar_result(rng, writer)
    body = "\n".join([f"    {line}" for line in [*writer.lines, f"return {result}"]])
    return Program(f"def f({', '.join(form)}):\n{body}\n", form, writer.variables, reduction, wild)


def _form(rng: random.Random, writer: Writer) -> dict[str, Any]:
    """The arguments, whose numbers the writer may use."""
    form: dict[str, Any] = {}
    if rng.random() < 0.04:  # none
        return form

    def array(path: str) -> Array:
        if rng.random() < 0.25:
            below = rng.randint(1, 5)
            shape = rng.choice([(), (2,)])
            paths = [path] if not shape else [f"{path}[{i}]" for i in range(2)]
            writer.indices.extend([(p, below) for p in paths])
            writer.scalars.append(paths[0])
            return Array(path, shape, below)
        shape = rng.choice([(), (1,), (2,), (3,), (6,), (2, 3), (3, 2)])
        if not shape:
            writer.scalars.append(path)
        elif len(shape) == 1:
            writer.vectors.append((path, shape[0]))
            writer.scalars.extend([f"{path}[{i}]" for i in range(shape[0])])
        else:
            writer.vectors.extend([(f"{path}[{i}]", shape[1]) for i in range(shape[0])])
            writer.scalars.append(f"{path}[{shape[0] - 1}][0]")
        return Array(path, shape)

    for name in ["x", "y", "t"][: rng.randint(1, 3)]:
        nested = rng.random()
        if nested < 0.08:
            form[name] = {key: array(f"{name}[{key!r}]") for key in ("a", "b")}
        elif nested < 0.16:
            form[name] = tuple([array(f"{name}[{i}]") for i in range(2)])
        else:
            form[name] = array(name)
    return form


def _scalar_result(rng: random.Random, writer: Writer) -> str:
    some = rng.random()
    last = writer.scalars[-1]
    if some < 0.02:
        return rng.choice(["1.5", "w[0]", f"w[{writer.variables - 1}] * 2.0"])
    if some < 0.15:
        return last
    if some < 0.3 and writer.vectors:
        return rng.choice(["sum({})", "math.fsum({})", "math.logsumexp({})"]).format(writer.vectors[-1][0])
    used = [last, *rng.choices(writer.scalars, k=rng.randint(2, 6)), *[f"sum({name})" for name, _ in writer.vectors[-2:]]]
    return " + ".join(used)


def _array_result(rng: random.Random, writer: Writer) -> str:
    scalars = [writer.scalars[-1], *rng.choices(writer.scalars, k=3)]
    vectors = [name for name, _ in writer.vectors[-2:]]
    return rng.choice(
        [
            scalars[0],
            f"[{', '.join(scalars)}]",
            vectors[-1],
            f"({scalars[0]}, {vectors[-1]})",
            f"{{'a': {scalars[1]}, 'b': [{vectors[0]}, {vectors[0]}], 'c': ({scalars[2]}, 0.5)}}",
            f"[[{scalars[0]}, {scalars[1]}], [{scalars[2]}, 1.0]]",
        ]
    )
