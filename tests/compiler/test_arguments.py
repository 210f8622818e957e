"""What compiled functions take and return: trees of arrays that stay what they are, and what is refused, by name."""

from __future__ import annotations

import pickle
from collections import Counter, OrderedDict, defaultdict
from dataclasses import KW_ONLY, InitVar, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest

from autograd import Value, compile  # noqa: A004 - autograd.compile

w = Value(2.0)


class AB(NamedTuple):
    a: Any
    b: Any


class BA(NamedTuple):
    b: Any
    a: Any


@dataclass
class Open:
    a: Any
    b: Any


@dataclass(frozen=True)
class Frozen:
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class Slots:
    a: Any
    b: Any


@dataclass
class Keywords:
    a: Any
    _: KW_ONLY
    b: Any = None


@dataclass
class Derived:
    """Its second field is computed from the first one, and from what is no field."""

    a: Any
    factor: InitVar[float] = 3.0
    b: Any = field(init=False)

    def __post_init__(self, factor: float) -> None:
        self.b = factor * np.asarray(self.a)


class Attributes(dict[str, Any]):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__ = self


def test_fields_that_are_swapped() -> None:
    """Mistake: both had one recording, of the one that came first."""
    f = compile(lambda p: w * p.a - p.b)
    assert [f(AB([1.0], [2.0])).data, f(BA([1.0], [2.0])).data, f(AB([1.0], [2.0])).data] == [0.0, 3.0, 0.0]
    assert len(f.recordings) == 2


def test_a_tuple_with_names_is_not_one_without() -> None:
    f = compile(lambda p: w * (p.a if hasattr(p, "a") else p[1]))
    assert [f(AB([1.0], [3.0])).data, f(([1.0], [3.0])).data] == [2.0, 6.0]


def test_keys_that_are_equal_and_differ() -> None:
    f = compile(lambda d: w * d[1] if type(next(iter(d))) is int else -w * d[1])
    assert [f({1: [3.0]}).data, f({True: [3.0]}).data] == [6.0, -6.0]


def test_the_order_of_a_dict() -> None:
    f = compile(lambda d: w * next(iter(d.values())))
    assert [f({"a": [1.0], "b": [3.0]}).data, f({"b": [3.0], "a": [1.0]}).data] == [2.0, 6.0]


@pytest.mark.parametrize(
    "x",
    [
        AB([1.0, 2.0], [3.0, 4.0]),
        Open([1.0, 2.0], [3.0, 4.0]),
        Frozen([1.0, 2.0], [3.0, 4.0]),
        Slots([1.0, 2.0], [3.0, 4.0]),
        Keywords([1.0, 2.0], b=[3.0, 4.0]),
        Derived([1.0, 4.0 / 3.0]),
        Attributes(a=[1.0, 2.0], b=[3.0, 4.0]),
    ],
    ids=lambda x: type(x).__name__,
)
def test_arguments_and_results_with_fields(x: Any) -> None:
    """Nested, too. The function gets, and the caller gets, one of the type that was given."""
    kind = type(x)
    seen = set()

    def fn(p: Any) -> Any:
        seen.add(type(p))
        p = p["inside"][0]
        seen.add(type(p))
        return w * p.a + p.b

    expected = np.mean(2.0 * np.asarray(x.a) + np.asarray(x.b))
    assert compile(fn)({"inside": (x,)}).data == pytest.approx(expected)
    assert seen == {dict, kind}
    result = compile(lambda p: {"p": p, "more": [w * p.a]}, reduction=None)(x)
    assert type(result["p"]) is kind
    np.testing.assert_array_equal(result["p"].b, np.asarray(x.b))
    np.testing.assert_array_equal(result["more"][:, 0], 2.0 * np.asarray(x.a))


@pytest.mark.parametrize(
    "x", [OrderedDict(b=[1.0], a=[2.0]), defaultdict(list, b=[1.0], a=[2.0]), Counter({"b": [1.0], "a": [2.0]})]
)
def test_dicts_of_other_kinds_stay_what_they_are(x: Any) -> None:
    seen = []

    def fn(d: Any) -> Any:
        seen.append(type(d))
        return d

    result = compile(fn, reduction=None)(x)
    assert {type(result), *seen} == {type(x)}
    assert [*result] == ["b", "a"]
    assert getattr(result, "default_factory", None) == getattr(x, "default_factory", None)


def test_names_in_the_source_and_in_messages() -> None:
    f = compile(lambda p: w * p.a["k"][0] + p.b)
    f(Open({"k": ([1.0],)}, [2.0]))
    assert "def step(theta, p_a_k_0, p_b," in f.source
    with pytest.raises(TypeError, match=r"^p\.a\['k'\]\[0\] must be a list or an array of real numbers, not str 'no'"):
        f(Open({"k": ("no",)}, [2.0]))
    with pytest.raises(ValueError, match=r"^p\.b is ragged"):
        f(Open({"k": ([1.0],)}, [[2.0], [3.0, 4.0]]))


def test_a_recording_of_types_is_pickled() -> None:
    f = compile(lambda p: w * p.a + p.b)
    f(Slots([1.0], [2.0]))
    (recording,) = f.recordings
    again = pickle.loads(pickle.dumps(recording))
    assert again.value_and_grad([3.0], Slots([1.0], [2.0]))[0] == 5.0
    with pytest.raises(
        ValueError, match="must have the same structure, shapes and kinds of numbers as those that were recorded"
    ):
        again.value_and_grad([3.0], Open([1.0], [2.0]))


# What is refused


def in_itself() -> Any:
    x: list[Any] = []
    x += [x, x, x]
    return x


def dict_in_itself() -> Any:
    x: dict[str, Any] = {}
    x["a"], x["b"] = x, x
    return x


def deep(kind: Any, levels: int = 5000) -> Any:
    x: Any = [1.0]
    for _ in range(levels):
        x = kind([x])
    return x


class Broken:
    def __array__(self, *_: Any, **__: Any) -> Any:
        msg = "no array today"
        raise RuntimeError(msg)

    def __repr__(self) -> str:
        raise RuntimeError


class Metres:
    units = "metre"

    def __array__(self, *_: Any, **__: Any) -> Any:
        return np.ones(1)


MASKED = np.ma.array([1.0, 2.0], mask=[False, True])
REFUSED: list[tuple[Any, Any, str]] = [
    (in_itself, ValueError, "x is nested in itself, or more than 32 levels deep"),
    (dict_in_itself, ValueError, "x is nested in itself, or more than 100 levels deep"),
    (lambda: (in_itself(),), ValueError, r"x\[0\] is nested in itself"),
    (lambda: deep(list), ValueError, "x is nested in itself, or more than"),
    (lambda: deep(tuple), ValueError, "x is nested in itself, or more than"),
    (lambda: [10**400], ValueError, "x holds a whole number that is too large for a float"),
    (lambda: 10**400, ValueError, "x holds a whole number that is too large for a float"),
    (lambda: [{"a": 1.0}], TypeError, "x must be a list or an array of real numbers, not list"),
    (Broken, TypeError, "x cannot be read as an array: Broken .* raises RuntimeError: no array today"),
    (lambda: [Broken()], TypeError, "x cannot be read as an array: list .* raises RuntimeError: no array today"),
    (lambda: MASKED, ValueError, r"x has masked items.*\.filled\(\), or drop those examples"),
    (lambda: {"a": MASKED}, ValueError, r"x\['a'\] has masked items"),
    (lambda: Open([1.0, 2.0], MASKED), ValueError, r"x\.b has masked items"),
    (lambda: [MASKED, MASKED], ValueError, "x has masked items"),
    (Metres, TypeError, "x is in units of metre"),
]


@pytest.mark.parametrize(("make", "error", "message"), REFUSED)
def test_arguments_that_are_refused(make: Any, error: Any, message: str) -> None:
    """At the call, and where there is a program already."""
    f = compile(lambda x: w * x)
    for _ in range(2):
        with pytest.raises(error, match=f"^{message}"):
            f(make())
        assert f([1.0]).data == 2.0
    with pytest.raises(error, match=f"^{message}"):
        f.value([1.0], make())
    with pytest.raises((TypeError, ValueError), match="^theta "):
        f.value([*[1.0] * 3], [1.0]) if isinstance(make(), Open | dict | tuple) else f.value_and_grad(make(), [1.0])


def test_sparse_matrices_say_how_to_be_dense() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"^x must be a list or an array of real numbers, not .*: pass x\.toarray\(\)"):
        compile(lambda x: w * x[0])(sparse.csr_array(np.eye(2)))


def test_what_has_nothing_to_lose() -> None:
    """A mask under which nothing is, and a matrix, whose rows are examples as those of any array."""
    assert compile(lambda x: w * x)(np.ma.array([1.0, 3.0], mask=False)).data == 4.0
    assert compile(lambda x: w * x[1])(np.ones((3, 2)).view(np.matrix)).data == 2.0
    assert compile(lambda x: w * x)([10**30]).data == 2e30


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (in_itself(), ValueError, "what <compiled .*> returned is nested in itself"),
        (dict_in_itself(), ValueError, "what <compiled .*> returned is nested in itself"),
        (deep(list), ValueError, "what <compiled .*> returned is nested in itself"),
        (10**400, ValueError, "<compiled .*> returned int 1000.*, which is too large for a float"),
        (Broken(), TypeError, "<compiled .*> returned Broken .*: expected Values, or lists, tuples or dicts of them"),
        ({"a": [MASKED]}, TypeError, "<compiled .*> returned NoneType None: expected Values"),
    ],
    ids=["list", "dict", "deep", "huge", "broken", "masked"],
)
def test_results_that_are_refused(result: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        compile(lambda: result, reduction=None)()
