"""Data-parallel training: the bits do not depend on the workers, of which one is killed, and are close to one process's."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import signal
import sys
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra [dask]")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

import dask
from distributed import Client, LocalCluster

import autograd
from autograd import Value
from demos import data_parallel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLOSE = 1e-12  # what is promised; 20 sums of 300 numbers near 1, in another order, differ by some 1e-15


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two workers, started by somebody else than the demo."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", silence_logs="CRITICAL"
    ) as cluster:
        yield cluster


def run(out: Path, *options: str) -> str:
    """What the demo prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(io.StringIO()):
        data_parallel.main(["--quick", "--out", str(out), *options])
    return printed.getvalue()


def losses(monkeypatch: pytest.MonkeyPatch) -> list[data_parallel.Run]:
    """The runs that the demo compares, of one process and of the workers, once it has drawn them."""
    runs: list[data_parallel.Run] = []
    draw = data_parallel.draw_runs
    monkeypatch.setattr(
        data_parallel, "draw_runs", lambda one, other, killed: (runs.extend([one, other]), draw(one, other, killed))[1]
    )
    return runs


def test_one_two_and_four_workers_one_killed_give_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: LocalCluster
) -> None:
    """And so do the workers of a scheduler that runs already, of which none is killed."""
    runs = losses(monkeypatch)
    printed = []
    for workers in (1, 2, 4):
        with mock.patch.object(data_parallel.os, "kill", wraps=os.kill) as kill:
            printed.append(run(tmp_path, "--workers", str(workers)))
        assert [call.args[1] for call in kill.call_args_list] == [signal.SIGKILL]
    with mock.patch.object(data_parallel.os, "kill", wraps=os.kill) as kill:
        elsewhere = run(tmp_path, "--address", cluster.scheduler_address)
    assert not kill.called
    assert printed[0] == printed[1] == printed[2]
    said = "In step 10 the worker that held the first shard was killed.\n"
    assert said in printed[0]
    assert elsewhere == printed[0].replace(said, "")
    single, *sharded = runs[0], *runs[1::2]
    for each in sharded:
        assert each.losses.tobytes() == sharded[0].losses.tobytes()
        assert each.theta.tobytes() == sharded[0].theta.tobytes()
        assert np.max(np.abs(each.losses - single.losses)) <= CLOSE
        assert np.max(np.abs(each.theta - single.theta)) <= CLOSE
    assert single.losses[-1] < 1.0 < single.losses[0]
    differences = [float(number) for number in re.findall(r"differ from .* by at most (\S+)\.", printed[0])]
    assert len(differences) == 2
    assert max(differences) <= CLOSE
    assert (tmp_path / "data_parallel.png").read_bytes()[:4] == b"\x89PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["data_parallel.png"]


def test_shards_of_different_sizes_are_weighted_and_a_killed_worker_is_gone(cluster: LocalCluster) -> None:
    """The mean of (wx)² over 1, 2, 3, 4 and 5 at w = 3: 9 · 55 / 5, and its derivative 2 · 3 · 55 / 5."""
    w = Value(1.0)
    loss = autograd.compile(lambda x: (w * x) ** 2, parameters=[w])
    loss([1.0])
    (program,) = loss.recordings
    theta = np.array([3.0])
    with Client(cluster) as client:
        mean = data_parallel.Sharded(client, program, [(np.array([1.0]),), (np.array([2.0, 3.0, 4.0, 5.0]),)])
        value, gradient = mean.value_and_grad(theta)
        assert (value, *gradient.tolist()) == pytest.approx((99.0, 66.0), rel=1e-15)
        with mock.patch.object(data_parallel.os, "kill", wraps=os.kill) as kill:
            again, gradient_again = mean.value_and_grad(theta, mean.kill_a_worker)
        assert (again, gradient_again.tolist()) == (value, gradient.tolist())
        ((killed, _),) = [call.args for call in kill.call_args_list]
        assert killed != os.getpid()
        client.wait_for_workers(2, timeout=30)
        assert killed not in client.run(os.getpid).values()


def test_no_scheduler_at_the_address(tmp_path: Path) -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "300ms"}),
        pytest.raises(SystemExit, match="no scheduler answers at tcp://127.0.0.1:9 .*dask scheduler"),
    ):
        run(tmp_path, "--address", "tcp://127.0.0.1:9")


def test_no_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        data_parallel.main(["--workers", "0", "--out", str(tmp_path)])
    assert "--workers must be at least 1, not 0" in capsys.readouterr().err


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "demos.data_parallel")
    with pytest.raises(SystemExit, match=r'need distributed, .*python -m pip install -e "\.\[dask\]"'):
        importlib.import_module("demos.data_parallel")
