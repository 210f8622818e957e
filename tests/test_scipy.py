"""SciPy's ``minimize`` with exact gradients: known minima, what it hands on, and what it refuses."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy as np
import pytest

from autograd import RecordingError, Value, math, no_grad
from autograd.scipy import minimize

optimize = pytest.importorskip("scipy.optimize")

EXACT = 1e-12  # two ways to add up a few numbers: some 1e-16 for each
FOUND = 1e-4  # BFGS stops where no slope is above 1e-5, and the least curvature of Rosenbrock's valley is 0.4: 2.5e-5
EITHER = pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "eager"])


def rosenbrock(x: Any) -> Any:
    total = 0.0
    for a, b in itertools.pairwise(x):
        total = total + 100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2
    return total


@EITHER
def test_rosenbrock_has_its_minimum_at_ones(compiled: bool) -> None:  # noqa: FBT001 - a parameter of a test
    result = minimize(rosenbrock, [1.3, 0.7, 0.8, 1.9, 1.2], compiled=compiled)
    assert result.success
    assert result.x == pytest.approx(np.ones(5), abs=FOUND)


def test_within_bounds_the_default_is_l_bfgs_b_and_the_minimum_lies_at_the_edge() -> None:
    """With a ≤ 1/2 the least (1 - a)² is 1/4, and b = a² costs nothing."""
    result = minimize(rosenbrock, [-1.0, 2.0], bounds=[(-2.0, 0.5), (None, None)])
    assert result.success
    assert result.x == pytest.approx([0.5, 0.25], abs=FOUND)
    assert result.fun == pytest.approx(0.25, abs=FOUND**2)
    assert "hess_inv" in result
    assert "LbfgsInvHessProduct" in repr(result.hess_inv)


def test_constraints_options_and_callback_are_handed_on() -> None:
    """The point of a + b = 3 nearest to the origin."""
    seen: list[Any] = []
    result = minimize(
        lambda x: x[0] ** 2 + x[1] ** 2,
        [5.0, -1.0],
        constraints={"type": "eq", "fun": lambda x: x[0] + x[1] - 3.0},
        callback=lambda x: seen.append(x.tolist()),
    )
    assert result.x == pytest.approx([1.5, 1.5], abs=FOUND)
    assert seen[-1] == pytest.approx([1.5, 1.5], abs=FOUND)
    assert not minimize(rosenbrock, [-1.0, 2.0], options={"maxiter": 1}).success
    assert minimize(rosenbrock, [-1.0, 2.0], tol=10.0).nfev < minimize(rosenbrock, [-1.0, 2.0]).nfev


@EITHER
def test_scipy_gets_the_gradient_of_the_formula(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 - likewise
    calls: list[tuple[Any, dict[str, Any]]] = []

    def kept(fun: Any, x0: Any, **rest: Any) -> str:
        calls.append((fun, {"x0": x0, **rest}))
        return "the result"

    monkeypatch.setattr(optimize, "minimize", kept)
    returned: Any = minimize(rosenbrock, [1, 2, 3], method="CG", tol=0.5, compiled=compiled)
    assert returned == "the result"
    ((fun, rest),) = calls
    assert rest.pop("x0").tolist() == [1.0, 2.0, 3.0]
    assert rest == {"method": "CG", "jac": True, "tol": 0.5}
    for x in ([1.0, 2.0, 3.0], [0.5, -1.0, 0.25]):
        value, slopes = fun(np.array(x))
        assert value == pytest.approx(optimize.rosen(x), rel=EXACT)
        assert slopes == pytest.approx(optimize.rosen_der(x), rel=EXACT)
        assert type(value) is float


def test_an_evaluation_is_one_call_where_differences_take_one_for_each_parameter() -> None:
    """SciPy's own counts: a gradient by differences takes 11 evaluations, an exact one is part of its evaluation.

    Where a search ends in rounding, which depends on the processor, a few steps are tried without a gradient.
    """
    x0 = np.linspace(-1.0, 2.0, 10)
    exact, by_differences = minimize(rosenbrock, x0), optimize.minimize(rosenbrock, x0)
    assert exact.nfev < 2 * exact.njev
    assert by_differences.nfev > 10 * by_differences.njev


PRODUCTS = ["Newton-CG", "trust-ncg", "trust-krylov", "trust-constr"]
HESSIANS = ["dogleg", "trust-exact"]


@EITHER
@pytest.mark.parametrize("method", PRODUCTS + HESSIANS)
def test_methods_of_second_order_get_the_exact_hessian(
    method: str,
    compiled: bool,  # noqa: FBT001 - a parameter of a test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SciPy's own formulas for Rosenbrock are the reference."""
    seen: list[Any] = []

    def kept(*_: Any, **rest: Any) -> None:
        seen.append((rest.get("hess"), rest.get("hessp")))

    monkeypatch.setattr(optimize, "minimize", kept)
    minimize(rosenbrock, [1.0, 2.0, 3.0], method=method.upper(), compiled=compiled)
    ((hess, hessp),) = seen
    for x in (np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, 0.25])):
        if method in HESSIANS:
            assert hessp is None
            assert hess(x) == pytest.approx(optimize.rosen_hess(x), rel=EXACT)
        else:
            assert hess is None
            direction = np.array([2.0, -1.0, 0.5])
            assert hessp(x, direction) == pytest.approx(optimize.rosen_hess_prod(x, direction), rel=EXACT)


@EITHER
@pytest.mark.parametrize("method", PRODUCTS + HESSIANS)
def test_methods_of_second_order_find_the_minimum(method: str, compiled: bool) -> None:  # noqa: FBT001 - likewise
    """They are near enough to it for ``dogleg``, which wants a Hessian that is positive there."""
    with no_grad():
        result = minimize(rosenbrock, [1.1, 1.2, 1.3], method=method, compiled=compiled, tol=1e-8)
    assert result.x == pytest.approx(np.ones(3), abs=FOUND)
    assert result.nhev > 0


def test_products_save_the_gradients_that_differences_of_gradients_take() -> None:
    """Newton-CG without a Hessian takes a gradient more for each product; SciPy counts both."""
    x0 = np.array([1.3, 0.7, 0.8, 1.9, 1.2])
    exact = minimize(rosenbrock, x0, method="Newton-CG")
    by_differences = optimize.minimize(optimize.rosen, x0, jac=optimize.rosen_der, method="Newton-CG")
    assert exact.njev < by_differences.njev / 2
    assert exact.nhev > 0 == by_differences.nhev


def test_a_hessian_of_ones_own_is_used() -> None:
    asked: list[Any] = []

    def hess(x: Any) -> Any:
        asked.append(x)
        return optimize.rosen_hess(x)

    def hessp(x: Any, direction: Any) -> Any:
        asked.append(x)
        return optimize.rosen_hess_prod(x, direction)

    for settings in ({"hess": hess}, {"hessp": hessp}):
        asked.clear()
        assert minimize(rosenbrock, [1.3, 0.7], method="Newton-CG", **settings).nhev == len(asked) > 0
    found = minimize(rosenbrock, [1.3, 0.7], method="trust-constr", hess="2-point")
    assert found.x == pytest.approx(np.ones(2), abs=FOUND)


@EITHER
@pytest.mark.parametrize("fn", [lambda _: 3.0, lambda x: 2.0 * x[0], lambda x: x[1]])
def test_what_has_no_curvature_has_a_hessian_of_zeros(
    fn: Any,
    compiled: bool,  # noqa: FBT001 - likewise
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(optimize, "minimize", lambda *_, **rest: seen.append(rest["hess"]))
    minimize(fn, [1.0, 2.0], method="trust-exact", compiled=compiled)
    assert seen[0](np.array([1.0, 2.0])).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_compiled_the_function_is_called_to_be_recorded_and_checked_alone() -> None:
    calls = []

    def counted(x: Any) -> Any:
        calls.append(x)
        return rosenbrock(x)

    assert minimize(counted, [-1.2, 1.0]).nfev > 20
    assert len(calls) == 2


def test_args_are_handed_on_whole() -> None:
    """A line through three points: 2t + 1, and the data in an array and a list."""
    seen: list[Any] = []

    def misfit(x: Any, t: Any, y: Any, weight: float) -> Any:
        seen.append((t, y))
        return weight * ((x[0] * t + x[1] - np.array(y)) ** 2).sum()

    times, heights = np.arange(3.0), [1.0, 3.0, 5.0]
    result = minimize(misfit, [0.0, 0.0], (times, heights, 0.5))
    assert all(t is times and y is heights for t, y in seen)
    assert result.x == pytest.approx([2.0, 1.0], abs=FOUND)


def test_an_argument_that_is_no_tuple_is_the_only_one_as_scipy_has_it() -> None:
    assert minimize(lambda x, a: (x[0] - a) ** 2, [0.0], 4.0).x == pytest.approx([4.0], abs=FOUND)


def test_a_single_number_is_a_start() -> None:
    assert minimize(lambda x: math.cosh(x[0] - 2.0), 0.5).x == pytest.approx([2.0], abs=FOUND)


def test_functions_for_numpy_are_functions_of_values() -> None:
    """``x`` is an array, so SciPy's own Rosenbrock, written in slices, is differentiated as it stands."""
    assert minimize(optimize.rosen, [1.3, 0.7, 0.8]).x == pytest.approx(np.ones(3), abs=FOUND)


@EITHER
def test_no_grad_around_it_does_not_take_the_gradient_away(compiled: bool) -> None:  # noqa: FBT001 - likewise
    with no_grad():
        assert minimize(rosenbrock, [-1.2, 1.0], compiled=compiled).x == pytest.approx([1.0, 1.0], abs=FOUND)


def test_other_values_are_read_and_left_alone() -> None:
    target = Value(3.0)
    assert minimize(lambda x: (x[0] - target) ** 2, [0.0]).x == pytest.approx([3.0], abs=FOUND)
    assert (target.data, target.grad) == (3.0, 0.0)


def test_a_branch_is_refused_with_the_way_out_which_is_a_way_out() -> None:
    """A parabola with another slope on each side; its minimum is at 1."""

    def bent(x: Any) -> Any:
        return (x[0] - 1.0) ** 2 if x[0] > 1.0 else 4.0 * (x[0] - 1.0) ** 2

    with pytest.raises(RecordingError, match="the truth of a Value") as caught:
        minimize(bent, [3.0])
    assert any("compiled=False" in note for note in caught.value.__notes__)
    assert minimize(bent, [3.0], compiled=False).x == pytest.approx([1.0], abs=FOUND)


@EITHER
def test_a_constant_is_at_its_minimum_everywhere(compiled: bool) -> None:  # noqa: FBT001 - likewise
    result = minimize(lambda _: 3.0, [1.0, 2.0], compiled=compiled)
    assert (result.fun, result.x.tolist(), result.jac.tolist()) == (3.0, [1.0, 2.0], [0.0, 0.0])


@EITHER
@pytest.mark.parametrize("returned", [lambda x: x, list, tuple, lambda _: None, lambda x: x.reshape(1, 2), lambda _: "3"])
def test_what_is_not_one_number_is_refused(returned: Any, compiled: bool) -> None:  # noqa: FBT001 - likewise
    with pytest.raises(TypeError, match="the function to minimize must return one Value, not "):
        minimize(returned, [1.0, 2.0], compiled=compiled)


@EITHER
def test_a_nan_is_no_success_and_no_exception(compiled: bool) -> None:  # noqa: FBT001 - likewise
    result = minimize(lambda x: math.log(x[0]), [-1.0], compiled=compiled)
    assert not result.success
    assert math.isnan(result.fun)


@pytest.mark.parametrize(
    ("x0", "error", "message"),
    [
        (["a"], TypeError, r"x0 must be a list or an array of real numbers, not list \['a'\]"),
        ([1j], TypeError, "real numbers"),
        ([Value(1.0)], TypeError, "real numbers"),
        (None, TypeError, "real numbers, not NoneType None"),
        ([[1.0, 2.0]], ValueError, r"have the shape \(n,\) with n at least 1, not \(1, 2\): flatten it"),
        ([], ValueError, r"not \(0,\)"),
        ([1.0, math.nan], ValueError, r"x0 must contain finite numbers only, not \[1.0, nan\]"),
        ([math.inf], ValueError, r"x0 must contain finite numbers only, not \[inf\]"),
    ],
)
def test_a_bad_start_is_refused(x0: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        minimize(rosenbrock, x0)


def test_jac_is_refused_and_so_is_what_is_no_function() -> None:
    with pytest.raises(TypeError, match="omit jac"):
        minimize(rosenbrock, [1.0, 2.0], jac=optimize.rosen_der)
    with pytest.raises(TypeError, match="expects a function of an array of Values, not float 3.0"):
        minimize(3.0, [1.0])  # type: ignore[arg-type]


def test_the_start_is_not_changed() -> None:
    x0 = np.array([-1.2, 1.0])
    minimize(rosenbrock, x0)
    assert x0.tolist() == [-1.2, 1.0]


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ModuleNotFoundError, match=r'python -m pip install "scalar-autograd\[scipy\]"'):
        minimize(rosenbrock, [1.0, 2.0])
