from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import itertools
import math
import re
import signal
import sys
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import numpy as np
import pytest

import nn
from autograd import Value, no_grad
from demos import gpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]

SAME_LOSS = 1e-12  # relative: sums of at most 64 terms, in another order, a few layers deep
SAME_TRAINING = 1e-9  # relative, of losses: Adam divides gradients by their size, which enlarges such differences


# What it reads


@pytest.fixture(scope="module")
def names() -> list[str]:
    return gpt.standard_library()


def test_the_standard_library_has_thousands_of_names_in_an_order_of_their_own(names: list[str]) -> None:
    assert len(names) > 3000
    assert names == sorted(set(names)) == gpt.standard_library()
    assert all(re.fullmatch("[a-z][a-z_]*", name) for name in names)
    assert {"read_text", "namedtuple", "run_until_complete", "wraps"} <= set(names)  # a method, two functions, …
    assert not {"antigravity", "test_main", "assert_python_ok", "Path"} & set(names)  # no modules, no tests, no capitals


def test_reading_names_imports_nothing(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.__import__", mock.Mock(side_effect=AssertionError))
    assert gpt.standard_library() == names


def test_documents_are_padded_with_weights_of_0() -> None:
    corpus = gpt.Corpus(["ba", "a" * 20, "ab" * 7 + "a"])
    tokens, targets, weights = corpus.encoded(corpus.documents)
    a, b, end = 0, 1, 2
    assert tokens[0].tolist() == [end, b, a] + [end] * 13
    assert targets[0].tolist() == [b, a, end] + [end] * 13
    assert weights[0].tolist() == [1 / 3] * 3 + [0.0] * 13
    assert tokens[1].tolist() == [end] + [a] * 15  # cut off, so no end follows
    assert targets[1].tolist() == [a] * 16
    assert tokens[2].tolist() == [end, *[a, b] * 7, a]  # fits exactly
    assert targets[2].tolist() == [*[a, b] * 7, a, end]
    assert weights[1:].tolist() == [[1 / 16] * 16] * 2


def test_decoding_stops_at_the_end() -> None:
    corpus = gpt.Corpus(["abc"])
    assert [corpus.decoded(tokens) for tokens in ([2, 0, 3, 1, 3], [1, 1], [3, 0], [])] == ["ca", "bb", "", ""]


def test_the_order_is_that_of_the_seed() -> None:
    corpus = gpt.Corpus([str(i) for i in range(100)])
    first, again, other = [corpus.shuffled(seed).documents for seed in (1, 1, 2)]
    assert first == again
    assert first != other
    assert sorted(first) == sorted(other) == sorted(corpus.documents)


def test_the_unigram_entropy_is_that_of_the_characters_and_ends_that_follow_something() -> None:
    assert gpt.Corpus(["aab", "b"]).entropy() == pytest.approx(math.log(3.0), rel=1e-15)  # a, b and end: twice each
    assert gpt.Corpus(["a" * 16]).entropy() == 0.0  # which fills the context: no end
    assert gpt.Corpus(["a" * 15, "b" * 16]).entropy() == pytest.approx(  # 15 a, 1 end, 16 b
        -(15 / 32) * math.log(15 / 32) - math.log(1 / 32) / 32 - math.log(1 / 2) / 2, rel=1e-15
    )


def test_the_examples_in_docstrings_hold() -> None:
    failed, attempted = doctest.testmod(gpt)
    assert (failed, attempted) == (0, 1)


# The model


def numpy_loss(model: gpt.GPT, tokens: list[int], targets: list[int]) -> float:
    """The mean loss on matrices, rows of which are positions."""
    w = {name: np.array([[v.data for v in row] for row in matrix]) for name, matrix in vars(model).items()}
    n = len(tokens)

    def norm(x: Array) -> Array:
        return x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-5)

    x = norm(w["token"][tokens] + w["position"][:n])
    heads = []
    q, k, v = [norm(x) @ w[name].T for name in ("query", "key", "value")]
    for h in range(4):
        part = slice(4 * h, 4 * h + 4)
        e = np.exp(q[:, part] @ k[:, part].T / 2) * np.tri(n)
        heads.append(e / e.sum(1, keepdims=True) @ v[:, part])
    x = x + np.hstack(heads) @ w["projection"].T
    x = x + np.maximum(norm(x) @ w["hidden"].T, 0.0) @ w["output"].T
    e = np.exp(x @ w["head"].T)
    return float(-np.log((e / e.sum(1, keepdims=True))[range(n), targets]).mean())


def a_model() -> gpt.GPT:
    """One whose weights are large enough for everything in it to matter."""
    model = gpt.GPT(4, np.random.default_rng(1))
    for parameter in model.parameters():
        parameter.data *= 6.0
    return model


def test_the_loss_is_that_of_the_formulas_on_matrices() -> None:
    model, tokens, targets = a_model(), [3, 0, 2, 2, 1], [0, 2, 2, 1, 3]
    with no_grad():
        found = gpt.loss(model(tokens), (targets, [1 / 5] * 5))
    assert found.data == pytest.approx(numpy_loss(model, tokens, targets), rel=SAME_LOSS)


def test_padding_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpt, "CONTEXT", 4)
    model, corpus = a_model(), gpt.Corpus(["abc"])
    padded = [array[0].tolist() for array in corpus.encoded(["b"])]
    bare = [row[:2] for row in padded]
    with no_grad():
        losses = [gpt.loss(model(tokens), (targets, weights)).data for tokens, targets, weights in (padded, bare)]
    assert losses[0] == losses[1]
    assert padded[2] == [0.5, 0.5, 0.0, 0.0]


def test_a_position_sees_those_before_and_none_after() -> None:
    model = a_model()
    with no_grad():
        one, other = [[[x.data for x in row] for row in model(tokens)] for tokens in ([0, 1, 2, 3], [0, 1, 3, 3])]
    assert one[:2] == other[:2]
    assert one[2] != other[2]
    assert one[3] != other[3]  # the last token is the same


def test_the_model_has_as_many_parameters_as_the_public_one() -> None:
    model = gpt.GPT(27, np.random.default_rng(0))
    numbers = np.array([p.data for p in model.parameters()])
    assert len(numbers) == 4192
    assert numbers.std() == pytest.approx(0.08, rel=0.05)  # four times 1 / sqrt(2 · 4192)
    assert all(isinstance(p, Value) for p in model.parameters())


# Sampling


def always(p: list[float]) -> Callable[[Array], Array]:
    """A model to which every place is like every other."""
    return lambda tokens: np.log(np.broadcast_to(p, (*tokens.shape, len(p))))


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_samples_end_where_the_model_says_and_at_16_characters_at_the_latest() -> None:
    corpus: Any = gpt.Corpus(["ab"])
    assert gpt.samples(always([0.0, 1.0, 0.0]), corpus, 0) == ["b" * 16] * 20  # type: ignore[arg-type]
    assert gpt.samples(always([0.0, 0.0, 1.0]), corpus, 0) == [""] * 20  # type: ignore[arg-type]


def test_samples_are_drawn_at_a_temperature_of_a_half() -> None:
    corpus = gpt.Corpus(["ab"])
    drawn = "".join("".join(gpt.samples(always([0.6, 0.4, 1e-300]), corpus, seed)) for seed in range(30))  # type: ignore[arg-type]
    share = drawn.count("a") / len(drawn)
    assert len(drawn) == 30 * 20 * 16
    assert share == pytest.approx(0.6**2 / (0.6**2 + 0.4**2), abs=0.02)  # four times sqrt(0.69 · 0.31 / 9600)


def test_samples_look_at_what_was_drawn_before() -> None:
    def follows(tokens: Array) -> Array:
        """Sees but one token back: a, b, c, end."""
        return np.where(np.arange(4) == (tokens[..., None] + 1) % 4, 0.0, -1e3)

    assert gpt.samples(follows, gpt.Corpus(["abc"]), 0) == ["abc"] * 20  # type: ignore[arg-type]


# Running it


class Run(NamedTuple):
    printed: str
    out: Path

    @property
    def theta(self) -> list[float]:
        """What the checkpoint holds."""
        return list(nn.load(self.out / "gpt.npz").state_dict.values())


def run(out: Path, *options: str) -> Run:
    """What the demo prints, by a clock that is a second later whenever it is read."""
    clock = mock.patch.object(gpt, "perf_counter", itertools.count().__next__)
    with clock, contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(io.StringIO()):
        gpt.main(["--out", str(out), *options])
    return Run(printed.getvalue(), out)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("gpt"), "--quick")


def test_it_learns_more_than_how_often_each_character_occurs(quick: Run, names: list[str]) -> None:
    entropy = float(re.findall(r"costs (\S+) a character: the unigram entropy", quick.printed)[0])
    assert entropy == pytest.approx(gpt.Corpus(names).entropy(), abs=5e-4)  # three digits
    means = [float(mean) for mean in re.findall(r"^ +\d+ - +\d+   (\S+)$", quick.printed, re.MULTILINE)]
    last, gain = map(
        float, re.findall(r"the last +100   (\S+), (\S+) below the unigram entropy$", quick.printed, re.MULTILINE)[0]
    )
    assert len(means) == 10
    assert last == pytest.approx(np.mean(means[5:]), abs=1.1e-3)
    assert gain == pytest.approx(entropy - last, abs=1.1e-3)
    assert gain > 0.1
    assert means[0] > last


def test_it_prints_samples_before_and_after(quick: Run) -> None:
    before, after = re.findall(
        r"^(?:Before training|Now) it makes up \(\d+ of these 20 exist\):\n((?:  .*\n)+)", quick.printed, re.MULTILINE
    )
    for made_up in (before, after):
        assert all(re.fullmatch("[a-z_]{1,16}", name) for name in made_up.split())
    assert len(before.split()) > 15  # some are empty
    assert before != after


def test_it_writes_a_picture_and_a_checkpoint_and_says_where(quick: Run) -> None:
    assert sorted(path.name for path in quick.out.iterdir()) == ["gpt.npz", "gpt.png"]
    for name in ("gpt.npz", "gpt.png"):
        assert f"Wrote {quick.out / name}" in quick.printed
    content = (quick.out / "gpt.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(content) > 10_000


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of 20 short documents, for a context of 4: that is recorded in a tenth of a second."""
    monkeypatch.setattr(gpt, "CONTEXT", 4)
    path = tmp_path / "text.txt"
    path.write_bytes(
        b"\xef\xbb\xbfab\r\n  ba \n\n\t\nabba\n" + b"ab\nba ab\n" * 8 + b"b"
    )  # a BOM, Windows' ends of lines, spaces
    return path


def test_a_file_of_ones_own_is_read_line_by_line(text: Path, tmp_path: Path) -> None:
    assert gpt.lines(text) == ["ab", "ba", "abba", *["ab", "ba ab"] * 8, "b"]
    printed = run(tmp_path / "out", "--file", str(text), "--docs", "25").printed
    assert "20 lines of 3 characters" in printed
    assert " 25 " in re.findall(r"the last.*", printed)[0]
    assert "1.0 s, recording and compiling included" in printed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"", "has no lines of text"),
        (b" \n\r\n", "has no lines of text"),
        (b"hello\n", "has one line of text: it must have many, one for each document"),
        (b"ab\ncd\xff\n", r"is not UTF-8 text \(byte 5 is 0xff\)"),
    ],
)
def test_a_file_that_cannot_be_used_ends_with_the_reason(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit, match=f"^--file {re.escape(str(path))}.*{message}"):
        gpt.main(["--file", str(path), "--out", str(tmp_path / "out")])


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "x", ""])
def test_docs_must_be_a_number_of_documents(number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        gpt.main([f"--docs={number}", "--out", str(tmp_path)])
    assert end.value.code == 2
    assert f"argument --docs: must be a whole number of 1 or more, not '{number}'" in capsys.readouterr().err


def test_help_names_what_this_demo_alone_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        gpt.main(["--help", "--out", str(tmp_path / "new")])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert "python -m demos.gpt" in printed
    assert all(option in printed for option in ("--file PATH", "--docs N", "--resume", "--eager"))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "demos.gpt")
    with pytest.raises(SystemExit, match="the demos need matplotlib"):
        importlib.import_module("demos.gpt")


@contextlib.contextmanager
def ctrl_c_in_step(n: int) -> Iterator[None]:
    """Ctrl-C while the ``n``-th step is under way."""
    steps, update = itertools.count(1), nn.Adam.update

    def interrupted(optimizer: nn.Adam, theta: Array, gradient: Array) -> Array:
        if next(steps) == n:
            signal.raise_signal(signal.SIGINT)
        return update(optimizer, theta, gradient)

    with mock.patch.object(nn.Adam, "update", interrupted):
        yield


def test_resumed_training_ends_at_the_same_bits_and_a_finished_one_makes_no_step(text: Path, tmp_path: Path) -> None:
    options = ["--file", str(text), "--docs", "12"]
    whole = run(tmp_path / "whole", *options)
    with ctrl_c_in_step(5):
        part = run(tmp_path / "part", *options)
    assert "--resume continues" in part.printed
    assert "the last     5 " in part.printed  # steps: the fifth was finished
    assert "--resume" not in whole.printed
    assert part.theta != whole.theta
    with pytest.raises(SystemExit, match="holds an interrupted training: pass --resume to continue it"):
        run(tmp_path / "part", *options)  # which would begin anew

    resumed = run(tmp_path / "part", *options, "--resume")
    assert resumed == (whole.printed.replace("whole", "part"), part.out)
    assert resumed.theta == whole.theta
    with mock.patch.object(nn.Adam, "update", mock.Mock(side_effect=AssertionError)):
        assert run(tmp_path / "part", *options, "--resume") == resumed
    assert resumed.theta == whole.theta
    assert run(tmp_path / "part", *options).theta == whole.theta  # from the beginning


def test_resuming_another_training_is_refused(text: Path, tmp_path: Path) -> None:
    out = run(tmp_path / "out", "--file", str(text), "--docs", "3").out
    for others in (["--docs", "4"], ["--docs", "3", "--file", str(tmp_path / "other.txt")]):
        (tmp_path / "other.txt").write_text("ab\nxyz\n")
        with pytest.raises(SystemExit, match=f"^--resume {re.escape(str(out / 'gpt.npz'))}: "):
            run(out, "--file", str(text), *others, "--resume")


def test_resuming_what_was_never_begun_begins(text: Path, tmp_path: Path) -> None:
    options = ["--file", str(text), "--docs", "3"]
    assert run(tmp_path / "new", *options, "--resume").theta == run(tmp_path / "old", *options).theta


def test_a_bug_in_training_is_not_taken_for_a_bad_checkpoint(text: Path, tmp_path: Path) -> None:
    with mock.patch.object(nn, "fit", side_effect=ValueError("a bug")), pytest.raises(ValueError, match="a bug"):
        run(tmp_path / "out", "--file", str(text), "--docs", "3")


def test_eager_training_learns_the_same(text: Path, tmp_path: Path) -> None:
    compiled, eager = [run(tmp_path / "out", "--file", str(text), "--quick", *way) for way in (["--docs", "2"], ["--eager"])]
    assert eager.printed == compiled.printed  # two documents, of its own accord
    compiled = run(tmp_path / "out", "--file", str(text), "--docs", "2")
    eager_theta = run(tmp_path / "eager", "--file", str(text), "--docs", "2", "--eager").theta
    assert eager_theta == pytest.approx(compiled.theta, rel=SAME_TRAINING, abs=SAME_TRAINING)


def test_the_picture_shows_what_followed_even_if_it_was_not_expected() -> None:
    corpus = gpt.Corpus(["".join(map(chr, range(0x20, 0x7F)))])
    p = np.full(96, 1e-3)
    p[50:80] = 1.0  # more than there is room for
    figure = gpt.draw(np.array([4.0, 3.0]), 3.5, corpus, "!z x", always(p.tolist()))  # type: ignore[arg-type]
    curve, heat = figure.axes
    assert [label.get_text() for label in heat.get_xticklabels()] == ["!", "z", "␣", "x", "end"]
    rows = [label.get_text() for label in heat.get_yticklabels()]
    assert len(rows) == 28
    framed: Any = heat.collections[0].get_offsets()
    assert [rows[int(row)] for _, row in framed] == ["!", "z", "␣", "x", "end"]
    assert [line.get_ydata().tolist() for line in curve.lines[:2]] == [[4.0, 3.0], [3.5]]  # type: ignore[union-attr]
