"""A pickled recording is the program: a process without the function and its Values runs it, and records nothing."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

import autograd
import nn
from autograd import Value, compile  # noqa: A004 - as users import it

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE = """
import pickle, sys
from pathlib import Path
from autograd.compiler import calls, program
calls.record = program.lower = None  # recording anew would fail
recording, theta, x, digit = pickle.loads(Path(sys.argv[1]).read_bytes())
value, slopes = recording.value_and_grad(theta, x, digit)
assert "nn" not in sys.modules
print(value.hex(), slopes.tobytes().hex())
"""


def test_another_process_gets_the_same_bits_without_the_function(tmp_path: Path) -> None:
    model = nn.MLP(3, [4, 2], rng=0)
    loss = compile(lambda x, digit: nn.cross_entropy(model(x), digit), parameters=model.parameters())
    x, digit = np.random.default_rng(0).normal(size=(5, 3)), np.array([0, 1, 1, 0, 1])
    theta = np.array([p.data for p in model.parameters()]) + 0.5
    value, slopes = loss.value_and_grad(theta, x, digit)
    (recording,) = loss.recordings
    path = tmp_path / "program"
    path.write_bytes(pickle.dumps((recording, theta, x, digit)))
    command = [sys.executable, "-c", ELSEWHERE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.split() == [value.hex(), slopes.tobytes().hex()]


def test_frozen_values_go_with_the_numbers_that_they_had() -> None:
    w, scale = Value(2.0), Value(10.0)
    loss = compile(lambda x: scale * w * x, parameters=[w])
    loss([1.0])
    copied = pickle.loads(pickle.dumps(loss.recordings[0]))
    scale.data = 100.0
    for recording, factor in ((copied, 10.0), (loss.recordings[0], 100.0)):
        value, slopes = recording.value_and_grad([3.0], [1.0, 3.0])
        assert (value, slopes.tolist()) == (6.0 * factor, [2.0 * factor])


def test_no_arguments_float32_and_names() -> None:
    w = Value(2.0)
    square = compile(lambda: w * w)
    square()
    value, slopes = square.recordings[0].value_and_grad([3.0])
    assert (value, slopes.tolist()) == (9.0, [6.0])
    product = compile(lambda x, y: w * x * y, dtype="float32", reduction="sum")
    product([1.0], y=[2.0])
    value, slopes = pickle.loads(pickle.dumps(product.recordings[0])).value_and_grad([3.0], [1.0, 2.0], y=[2.0, 3.0])
    assert (value, slopes.tolist(), slopes.dtype) == (24.0, [8.0], np.float32)


def test_what_was_not_recorded_is_refused() -> None:
    w = Value(2.0)
    loss = compile(lambda x, y: w * (x[0] + x[1]) - y)
    loss([[1.0, 2.0]], [1.0])
    (recording,) = loss.recordings
    with pytest.raises(
        ValueError, match=r"Recording\(.*was given float64 \(1, 3\), float64 \(1,\): .*as those that were recorded"
    ):
        recording.value_and_grad([1.0], [[1.0, 2.0, 3.0]], [1.0])
    with pytest.raises(ValueError, match=r"was given float64 \(1, 2\), int64 \(1,\)"):
        recording.value_and_grad([1.0], [[1.0, 2.0]], [1])
    with pytest.raises(ValueError, match="was given nothing"):
        recording.value_and_grad([1.0])
    with pytest.raises(ValueError, match=r"different numbers of examples \(x: 2, y: 1\)"):
        recording.value_and_grad([1.0], [[1.0, 2.0], [3.0, 4.0]], [1.0])
    with pytest.raises(ValueError, match=r"theta has the shape \(2,\); expected \(1,\)"):
        recording.value_and_grad([1.0, 2.0], [[1.0, 2.0]], [1.0])
    everything = compile(lambda x: w * x, reduction=None)
    everything([1.0])
    with pytest.raises(TypeError, match='reduction="mean" or "sum"'):
        everything.recordings[0].value_and_grad([1.0], [1.0])


def test_recordings_are_instances_of_a_public_class() -> None:
    """A program that receives a recording can name its type."""
    w = Value(2.0)
    loss = compile(lambda x: w * x if isinstance(x, Value) else w * x[0])
    loss([1.0])
    loss([[1.0, 2.0]])
    assert "Recording" in autograd.__all__
    assert [type(recording) for recording in loss.recordings] == [autograd.Recording] * 2
