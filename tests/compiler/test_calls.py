"""Calls of compiled functions that are rarer than others: names of arguments, options that change, tables without gradients."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nn
from autograd import GraphError, RecordingError, Value, compile, math  # noqa: A004 - autograd.compile
from autograd.compiler.checks import few

shared = [Value(2.0), Value(3.0)]


def plain(x: Any) -> Any:
    return shared[0] * shared[1] * x


def test_copies_have_the_parameters_that_were_given_and_find_others_anew() -> None:
    given, found = compile(plain, parameters=[shared[1]]), compile(plain)
    given([1.0])
    found([1.0])
    assert [p.data for p in pickle.loads(pickle.dumps(given)).parameters] == [3.0]
    with pytest.raises(GraphError, match="does not know its parameters yet"):
        _ = pickle.loads(pickle.dumps(found)).parameters


def test_a_function_of_c_has_no_signature() -> None:
    assert compile(min)([[1.0], [2.0]]).data == 1.5


def test_arguments_whose_names_become_one() -> None:
    """In the source, where what is no letter is an underscore."""
    w = Value(2.0)
    loss = compile(lambda x: w * x["a b"] - x["a_b"])
    assert loss({"a b": [3.0], "a_b": [1.0]}).data == 5.0
    assert "def step(theta, x_a_b, x_a_b_2_, " in loss.source


def test_a_network_in_single_precision() -> None:
    model = nn.MLP(2, [3, 1], "tanh", rng=0)
    loss = compile(model, dtype="float32")
    x = [[1.0, 2.0], [3.0, 4.0]]
    assert loss(x).data == pytest.approx(compile(model)(x).data, rel=1e-5)


def test_an_option_that_changes_with_given_parameters() -> None:
    """The parameters stay."""
    w, options = Value(2.0), {"scale": 3.0}
    loss = compile(lambda x: w * x * options["scale"], parameters=[w])
    assert loss([1.0]).data == 6.0
    options["scale"] = 5.0
    assert loss([1.0]).data == 10.0
    assert loss.parameters == [w]


def test_an_option_that_changes_before_other_shapes() -> None:
    """What was recorded for the first ones is forgotten, too."""
    options = {"w": Value(2.0)}
    loss = compile(lambda x: options["w"] * x[0])
    assert loss([[1.0]]).data == 2.0
    options["w"] = Value(3.0)
    assert loss([[1.0, 2.0]]).data == 3.0
    assert len(loss.recordings) == 1
    assert loss.parameters == [options["w"]]


def test_an_attribute_that_is_gone() -> None:
    options: Any = SimpleNamespace(w=Value(2.0), scale=3.0)
    loss = compile(lambda x: options.w * x * (options.scale if hasattr(options, "scale") else 1.0))
    assert loss([1.0]).data == 6.0
    del options.scale
    assert loss([1.0]).data == 2.0


def test_an_array_in_the_place_of_another() -> None:
    options: Any = {"w": Value(2.0), "scales": np.array([1.0, 2.0])}
    loss = compile(lambda x: options["w"] * x * float(options["scales"].sum()))
    assert loss([1.0]).data == 6.0
    options["scales"] = np.array([1.0, 2.0, 3.0])
    assert loss([1.0]).data == 12.0


def test_a_list_that_no_code_names() -> None:
    """Found by looking at everything, and then looked at in every call."""
    options = SimpleNamespace(**{"par" + "ts": [[Value(2.0)]]})
    loss = compile(lambda x: vars(options)["par" + "ts"][0][0] * x)
    assert loss([1.0]).data == 2.0
    setattr(options, "par" + "ts", [[Value(3.0)]])
    assert loss([1.0]).data == 3.0
    vars(options)["par" + "ts"][0] = [Value(4.0)]
    assert loss([1.0]).data == 4.0


def test_a_list_that_is_beside_what_no_code_names_may_grow() -> None:
    options = SimpleNamespace(**{"par" + "ts": [Value(2.0)], "hist" + "ory": [0.0]})
    loss = compile(lambda x: vars(options)["par" + "ts"][0] * x)
    loss([1.0])
    (recording,) = loss.recordings
    vars(options)["hist" + "ory"].append(1.0)
    loss([1.0])
    assert loss.recordings == [recording]


def test_parameters_that_are_given_do_not_hide_others() -> None:
    hidden, w = Value(2.0), Value(3.0)
    found = iter(lambda: hidden, None).__next__
    with pytest.raises(RecordingError, match="cannot see where it takes it from"):
        compile(lambda x: found() * w * x, parameters=[w])([1.0])


class Scale:
    def __init__(self) -> None:
        self.w = Value(2.0)

    def __call__(self, x: Any) -> Any:
        return self.w * x


def test_a_method_that_python_calls_by_itself_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    scale = Scale()
    loss = compile(lambda x: scale(x))  # noqa: PLW0108 - the code names no __call__
    assert loss([3.0]).data == 6.0
    monkeypatch.setattr(Scale, "__call__", lambda self, x: self.w + x)
    assert loss([3.0]).data == 5.0


SETTINGS = {"scale": 3.0}


class Made:
    def __init__(self) -> None:
        self.scale = SETTINGS["scale"]


def test_what_an_instance_is_made_of_in_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    w = Value(2.0)
    loss = compile(lambda x: w * x * Made().scale)
    assert loss([1.0]).data == 6.0
    monkeypatch.setitem(SETTINGS, "scale", 5.0)
    assert loss([1.0]).data == 10.0


def test_the_argument_that_is_wrong_is_named() -> None:
    """After a dict that is right, and inside of one."""
    loss = compile(lambda x, y: x["a"] * y)
    with pytest.raises(TypeError, match=r"^y must be a list or an array of real numbers"):
        loss({"a": [1.0], "b": ([2.0],)}, "no")
    with pytest.raises(TypeError, match=r"^x\['b'\]\[0\] must be a list or an array of real numbers"):
        loss({"a": [1.0], "b": ("no",)}, [1.0])


def test_options_of_the_decorator() -> None:
    w = Value(2.0)
    loss = compile(reduction="sum", parameters=[w], dtype="float32")(lambda x: w * x)
    assert (loss.reduction, loss.dtype.name, loss.parameters) == ("sum", "float32", [w])


def test_numbers_in_a_message() -> None:
    assert (few([1.0]), few([1.0, 2.0]), few([1.0] * 4)) == ("1.0", "[1.0, 2.0]", "[1.0, 1.0, 1.0, 1.0]")
    assert few([1.0] * 5) == "[1.0, 1.0, 1.0, 1.0, …]"


@pytest.mark.parametrize("batch", [1, 3])
def test_an_index_made_of_variables(batch: int) -> None:
    """Nothing is handed on to a table of inputs."""
    w = Value(1.0)
    loss = compile(lambda x: math.select(x, w) * w)
    result = loss([[1.0, 2.0, 3.0]] * batch)
    result.backward()
    assert (result.data, w.grad) == (2.0, 2.0)
