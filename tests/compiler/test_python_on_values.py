"""What Python and NumPy can do with a Value, one by one: recorded, refused, or of no consequence; never frozen in silence."""

from __future__ import annotations

import bisect
import cmath
import collections
import decimal
import fractions
import functools
import heapq
import itertools
import json
import math as python_math
import operator
import pickle
import statistics
import struct
import types
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from autograd import RecordingError, Value, gradient, math
from autograd import compile as compiled

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = [1.0, -1.0, 0.0, 2.5, float("inf"), float("nan")]
MODULES = (
    bisect,
    cmath,
    collections,
    decimal,
    fractions,
    functools,
    heapq,
    itertools,
    json,
    operator,
    pickle,
    statistics,
    struct,
)
NAMES = {module.__name__: module for module in MODULES}
NAMES |= {"types": types, "np": np, "math": math, "python_math": python_math, "Value": Value, "gradient": gradient}
w = Value(2.0, "w")

# The answer differs from example to example, and the program gives each example its own.
RECORDED = """
    x == 1    x != 1    1 == x    1 != x    np.float64(1) == x    np.float32(1) < x    np.array(1.0) == x    x == True
    x == np.float64(1)    x == np.array(1.0)    x == fractions.Fraction(1)    x == decimal.Decimal(1)    x == 1 + 0j    x < 1
    x <= 1    1 < x    1 >= x    operator.eq(x, 1)    operator.ne(x, 1)    x.__eq__(1)    x.__lt__(1)    np.equal(x, 1)
    np.not_equal(1, x)    np.less(x, 1)    np.greater_equal(x, 1)    np.array(x == 1)    math.where(x, 1.0, 2.0)
    math.where(x == 1, 1.0, 2.0)    math.where(x != 1, x, 2.0)    math.select([1.0, 2.0], x == 1)
    Value(x == 1) if isinstance(x == 1, Value) else float(x == 1)    x + 1    1 - x    x * 2    1 / x    x ** 2    2 ** x
    pow(x, 2)    x % 2    2 % x    x // 2    divmod(x, 2)[0]    divmod(2, x)[1]    -x    abs(x)    +x    sum([x, 1.0])
    sum([x], w)    x.detach()    sum((x * i for i in range(3)), Value(0.0))    math.isnan(x)    math.isinf(x)
    math.isfinite(x)    math.ldexp(x, 2)    math.maximum(x, 1.0, w)    math.minimum(x)    math.copysign(1.0, x)
    math.clip(x, 0, 1)    math.fsum([x, 1.0])    math.sumprod([x], [3.0])    python_math.prod([x, 2.0])    x.sign()
    x.floor()    x.ceil()    x.isnan()    x.relu()    x.signbit()    gradient(x * x, [x], create_graph=True)[0]    np.sign(x)
    np.isnan(x)    np.isinf(x)    np.isfinite(x)    np.signbit(x)    np.maximum(x, 1.0)    np.minimum(1.0, x)    np.floor(x)
    np.ceil(x)    np.trunc(x)    np.rint(x)    np.round(x)    np.heaviside(x, 0.5)    np.heaviside(0.0, x)
    np.arctan2(x, 1.0)    np.arctan2(1.0, x)    np.hypot(x, 1.0)    np.hypot(1.0, x)    np.fabs(x)    np.absolute(x)
    np.radians(x)    np.degrees(x)    np.deg2rad(x)    np.rad2deg(x)    np.logaddexp(x, 1.0)    np.logaddexp(1.0, x)
    np.logaddexp2(x, 1.0)    np.logaddexp2(1.0, x)    np.copysign(1.0, x)    np.copysign(x, -1.0)    np.reciprocal(x)
    np.fmod(x, 2.0)    np.fmod(2.0, x)    np.remainder(x, 2.0)    np.mod(2.0, x)    np.divmod(x, 2.0)[0]
    np.floor_divide(x, 2.0)    np.power(x, 2.0)    np.power(2.0, x)    np.float_power(x, 2.0)    np.float_power(2.0, x)
    np.add(1, x)    np.square(x)    np.sqrt(x)    np.cbrt(x)    np.exp(x)    np.exp2(x)    np.expm1(x)    np.log(x)
    np.log2(x)    np.log1p(x)    np.tanh(x)    np.positive(x)    np.negative(x)    np.conjugate(x)    np.asarray(x).item()
    np.sum([x, 1.0])    np.mean([x, 1.0])    np.dot([x], [3.0])    np.cumsum([x, 1.0])[1]    np.linalg.norm([x, 1.0])
    np.hypot(np.array([x]), 1.0)[0]    np.arctan2(np.array([x]), 1.0)[0]    np.degrees(np.array([x]))[0]
    np.rint(np.array([x]))[0]    np.floor(np.array([x]))[0]    np.fmod(np.array([x]), 2)[0]    (np.array([x]) % 2)[0]
    math.isnan(np.array([x]))[0]    math.floor(np.array([x]))[0]
"""

# The answer would be that of the first example for all.
REFUSED = """
    1 if x == 1 else 2    1 if x != 1 else 2    1 if w == 2 else x    1 if x else 2    not x    bool(x)    x and w    x or w
    operator.truth(x)    0 < x < 1    (x > 0) & (x < 1)    True | (x > 0)    (x > 0) ^ True    ~(x > 0)    x in (1, 2)
    1 in [x]    w in (2, 3)
    x in range(3)    any([x])    all([x])    x == w    x != w    x in [w]    [x].count(1)    [1.0, x].index(x)
    (x, 1.0).index(1)    collections.deque([x]).count(1)    operator.countOf([x], 1)    [x] == [1.0]    (x,) != (1.0,)
    (x,) < (2.0,)    min(x, 1.0)    max(x, 1.0)    sorted([x, 1.0])[0]    bisect.bisect([1.0], x)
    heapq.nsmallest(1, [x, 1.0])[0]    len(list(filter(None, [x])))    len(list(itertools.groupby([x, 1.0])))
    len(list(itertools.takewhile(bool, [x])))    statistics.median([x, 1.0, 2.0])    {0.0: 1.0, 1.0: 2.0}[x]
    operator.getitem({1.0: 2.0}, x)    {1.0: 2.0}.pop(x)    {1.0}.remove(x)    types.MappingProxyType({1.0: 2.0})[x]
    float(x)    int(x)    complex(x)    round(x)    round(x, 1)    python_math.exp(x)    python_math.isnan(x)    cmath.exp(x)
    python_math.fsum([x])    math.isclose(x, 1.0)    math.frexp(x)[1]    math.modf(x)[0]    math.ulp(x)    math.comb(5, x)
    '%f' % x    f'{x}'    f'{x!s}'    f'{x:.3f}'    f'{w:.3f}'    '{}'.format(x)    format(x, '.2f')    str(x)    '%s' % x
    print(x)    len(repr(x))    len(f'{x!r}')    x.data    x.item()    x.grad    w.grad    w.zero_grad()
    operator.attrgetter('data')(x)    pickle.dumps(x)    [1, 2][x]    range(3)[x]    'abc'[x]    [1, 2][:x]    range(x)
    [x] * x    operator.index(x)    bin(x)    chr(x)    np.array([x, w]) == 1    np.array([x]) != 1    x == np.array([1.0])
    np.array([x]) < 1    np.isin(x, [1.0])    np.unique([x, 1.0])    np.sort([x, 1.0])    np.argmax([x, 1.0])
    np.max([x, 1.0])    np.clip(x, 0, 1)    np.where(x, 1.0, 2.0)    np.where(np.array([x]) == 1, 1.0, 2.0)    np.any(x)
    np.all(x)    np.count_nonzero(x)    np.nonzero([x])    np.array_equal([x], [1.0])
    np.logical_not(x)    np.logical_and(x, 1)    np.sign([x])    np.median([x, 1.0])    np.searchsorted([0, 1], x)
    np.digitize(x, [0, 1])    np.interp(x, [0, 1], [1, 2])    np.float64(x)    np.asarray(x, float)
    np.array([x]).astype(float)    np.array([x]).astype(str)    np.maximum(np.array([x]), 1.0)    np.array([x, 1.0]).max()
"""

# A Value is this object, whatever its number: the answer is the same for all examples, in eager code as well.
OF_NO_CONSEQUENCE = """
    x is w    x is x    x == x    x != x    w == Value(2.0)    x == None    x == 'a'    x == [1]    x in [x]    x in {x: 1}
    {x: 1}[x]    len({x, w})    x in {w}    isinstance(x, float)    isinstance(x, Value)    type(x) is Value    callable(x)
    x.label    x.is_leaf    x.op is None    len(x.args)    functools.lru_cache(lambda v: 1.0)(x)    collections.Counter([x])[x]
    np.isscalar(x)    np.isreal(x)    np.array([x]).size
"""

# Values cannot do this, in eager code neither.
IMPOSSIBLE = """
    x & 1    x << 1    x @ x    len(x)    iter(x)    x[0]    1 in x    pow(x, 2, 3)    x < 1j    x < 'a'    json.dumps(x)
    bytes(x)    '%d' % x    struct.pack('d', x)    fractions.Fraction(x)    decimal.Decimal(x)    statistics.mean([x, 1.0])
    np.spacing(x)    np.nextafter(x, 1)    np.isnan([x])    np.logaddexp(np.array([x]), 1.0)    np.zeros(x)
"""


def cases(table: str) -> list[str]:
    """The expressions of ``table``, which lie four spaces apart."""
    return [case for line in table.splitlines() for case in line.strip().split("    ") if case]


def function(case: str) -> Callable[[Any], Any]:
    """The function of ``x`` that ``case`` spells."""
    fn: Callable[[Any], Any] = eval(f"lambda x: {case}", NAMES | {"w": w})
    return fn


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("case", cases(RECORDED))
def test_recorded(case: str) -> None:
    fn = function(case)
    eager = [number.data if isinstance(number := fn(Value(x)), Value) else float(number) for x in EXAMPLES]
    assert len(set(map(str, eager))) > 1
    np.testing.assert_allclose(compiled(lambda x: fn(x) * Value(1.0), reduction=None)(EXAMPLES), eager, rtol=1e-14)


@pytest.mark.parametrize("case", cases(REFUSED))
def test_refused(case: str) -> None:
    fn = function(case)
    with pytest.raises(
        RecordingError, match=r"[Ww]rite |compute |outside|before or after|after the call|called again|for the first|gives"
    ):
        compiled(lambda x: w * x * fn(x))([1.0, -1.0])


@pytest.mark.parametrize("case", cases(OF_NO_CONSEQUENCE))
def test_of_no_consequence(case: str) -> None:
    fn = function(case)
    (eager,) = {fn(Value(x)) for x in EXAMPLES}
    seen = []
    assert compiled(lambda x: seen.append(fn(x) if isinstance(x, Value) else eager) or w * x)([1.0, 2.0]).data == 3.0  # type: ignore[func-returns-value]
    assert set(seen) == {eager}


@pytest.mark.parametrize("case", cases(IMPOSSIBLE))
def test_impossible(case: str) -> None:
    fn = function(case)
    with pytest.raises((TypeError, struct.error)) as eager:
        fn(Value(1.0))
    with pytest.raises(eager.type):
        compiled(lambda x: w * x * fn(x))([1.0, 2.0])


@pytest.mark.parametrize("number", [10**400, -(10**400), 2**1024, 2**53 + 1, decimal.Decimal("0.1"), -decimal.Decimal("0.1")])
@pytest.mark.parametrize("compare", [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge])
def test_numbers_that_are_no_floats(number: Any, compare: Callable[[Any, Any], Any]) -> None:
    """Mistake: to compare with a number beyond all floats raised OverflowError, and Decimal(0.1) counted as the float 0.1."""
    largest = float(np.finfo(float).max)
    examples = [0.0, 0.1, -0.1, 2.0**53, 2.0**53 + 2, largest, -largest, float("inf"), -float("inf")]
    for fn in (lambda x: compare(x, number), lambda x: compare(number, x)):
        eager = [float(fn(Value(x))) for x in examples]
        assert compiled(lambda x, fn=fn: fn(x) * Value(1.0), reduction=None)(examples).tolist() == eager
