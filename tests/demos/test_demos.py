from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import re
import signal
import struct
import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple
from unittest import mock

import numpy as np
import pytest
from scipy import optimize
from sklearn.metrics import r2_score

import autograd.scipy
import nn
from autograd import DrawError, Drawing, Value, draw
from demos import digits, fit_curve, losses, moons, one_neuron, regression, stage

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

PICTURES = {
    digits: ["digits_mistakes.png"],
    fit_curve: ["fit_curve.png"],
    losses: ["losses.png"],
    moons: ["moons.png", "moons_neuron.svg"],
    one_neuron: ["one_neuron_after.svg", "one_neuron_before.svg"],
    regression: ["regression.png"],
}
DEMOS = pytest.mark.parametrize("demo", PICTURES, ids=lambda demo: demo.__name__)


class Run(NamedTuple):
    printed: str
    bars: str
    out: Path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(demo: ModuleType, out: Path, *options: str) -> Run:
    """What a demo prints, by a clock that is a second later whenever it is read."""
    clock = mock.patch.object(stage, "perf_counter", itertools.count().__next__)
    with clock, contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(Terminal()) as bars:
        demo.main(["--quick", "--out", str(out), *options])
    return Run(printed.getvalue(), bars.getvalue(), out)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[ModuleType, Run]:
    """Every demo, run once."""
    return {demo: run(demo, tmp_path_factory.mktemp("demo") / "new" / "folder") for demo in PICTURES}


@DEMOS
def test_a_demo_writes_its_pictures_and_nothing_else_and_says_where(demo: ModuleType, runs: dict[ModuleType, Run]) -> None:
    printed, bars, out = runs[demo]
    assert sorted(path.name for path in out.iterdir()) == PICTURES[demo]
    for name in PICTURES[demo]:
        assert str(out / name) in printed.partition("Wrote")[2]
        assert_is_picture(out / name)
    assert ("%|" in bars) == (demo not in {digits, moons})  # these print a table as they learn


def svg(path: Path) -> ET.Element:
    return ET.fromstring(path.read_text())  # noqa: S314 - this program wrote it


def assert_is_picture(path: Path) -> None:
    if path.suffix == ".svg":
        assert svg(path).tag == "{http://www.w3.org/2000/svg}svg"
        return
    content = path.read_bytes()
    signature, width, height = content[:8], *struct.unpack(">II", content[16:24])
    assert signature == b"\x89PNG\r\n\x1a\n"
    assert 800 <= width <= 2000
    assert 400 <= height <= 2500
    assert len(content) > 10_000


@DEMOS
def test_the_same_seed_prints_and_draws_the_same(demo: ModuleType, runs: dict[ModuleType, Run]) -> None:
    pictures = [(runs[demo].out / name).read_bytes() for name in PICTURES[demo]]
    assert run(demo, runs[demo].out).printed == runs[demo].printed
    assert [(runs[demo].out / name).read_bytes() for name in PICTURES[demo]] == pictures


@pytest.mark.parametrize("demo", [digits, moons])
def test_another_seed_starts_elsewhere(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "train", lambda *_, **__: None)
    monkeypatch.setattr(stage, "save", lambda _, path: path)
    printed = []
    for seed in ("1", "2"):
        demo.main(["--quick", "--seed", seed, "--out", str(tmp_path)])
        printed.append(capsys.readouterr().out)
    assert printed[0] != printed[1]


@DEMOS
def test_help_names_the_command_and_what_one_learns(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        demo.main(["--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert f"python -m {demo.__name__}" in printed
    assert " ".join(str(demo.__doc__).split())[:40] in " ".join(printed.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("demo", "package"),
    [
        ("stage", "tqdm"),
        ("moons", "sklearn"),
        ("moons", "matplotlib"),
        ("digits", "sklearn"),
        ("digits", "matplotlib"),
        ("fit_curve", "scipy"),
        ("regression", "sklearn"),
        ("losses", "matplotlib"),
    ],
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    demo: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"demos.{demo}")
    with pytest.raises(SystemExit, match=rf'the demos need {package}.*python -m pip install -e "\.\[demos\]"'):
        importlib.import_module(f"demos.{demo}")


@pytest.mark.parametrize("arguments", [["--seed", "-1"], ["--seed", "4294967296"], ["--seed", "x"], ["--out", "{file}"]])
def test_a_bad_argument_is_refused_by_name(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(SystemExit) as end:
        one_neuron.main([argument.format(file=file) for argument in arguments])
    assert end.value.code == 2
    assert arguments[0] in capsys.readouterr().err.splitlines()[-1]
    assert file.read_text() == "mine"


def test_a_crash_leaves_the_old_picture_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "losses.png"
    path.write_text("old")

    def crash(_: Figure, written: BinaryIO, **__: object) -> None:
        written.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", crash)
    with pytest.raises(KeyboardInterrupt):
        stage.save(losses.draw_losses(), path)
    assert [p.name for p in tmp_path.iterdir()] == ["losses.png"]
    assert path.read_text() == "old"


def test_without_a_renderer_a_demo_ends_with_the_message_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "install a renderer"

    def fail(*_: object) -> None:
        raise DrawError(message)

    monkeypatch.setattr(Drawing, "save", fail)
    with pytest.raises(SystemExit, match=message):
        stage.save(draw(Value(1.0)), tmp_path / "x.svg")


# Eager and compiled

TOLERANCE = 1e-9  # 1e-16 a rounding; a few steps of training enlarge it


@pytest.mark.parametrize("demo", [digits, moons])
def test_eager_training_prints_the_same_without_compiled_gradients(
    demo: ModuleType, runs: dict[ModuleType, Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(autograd.Compiled, "value_and_grad", fail)
    monkeypatch.setattr(stage, "race", lambda *_: "no time")
    eager, compiled = [
        re.findall("^epoch.*|^Of.*|^The trained.*", printed, re.MULTILINE)
        for printed in (run(demo, tmp_path, "--eager").printed, runs[demo].printed)
    ]
    assert eager == compiled
    assert len(eager) >= 3


def trained_on_moons(*, eager: bool) -> list[float]:
    points = np.array([[0.0, 1.0], [1.0, -1.0], [0.5, 0.5], [-1.0, 0.25]])
    model = nn.MLP(2, [4, 4, 1], rng=1)
    moons.train(model, points, np.array([1.0, -1.0, -1.0, 1.0]), 20, eager=eager)
    return [p.data for p in model.parameters()]


def trained_on_digits(*, eager: bool) -> list[float]:
    training, held_out = digits.load(seed=0)
    model = nn.MLP(64, [4, 10], rng=1)
    digits.train(model, training[:70], held_out[:5], 2, seed=0, eager=eager)
    return [p.data for p in model.parameters()]


@pytest.mark.parametrize("train", [trained_on_moons, trained_on_digits])
def test_eager_training_ends_where_compiled_training_does(train: Any) -> None:
    compiled, eager = train(eager=False), train(eager=True)
    assert eager == pytest.approx(compiled, rel=TOLERANCE, abs=TOLERANCE)


def test_race_divides_the_medians_of_the_times(monkeypatch: pytest.MonkeyPatch) -> None:
    w = Value(2.0)
    square = autograd.compile(lambda x: (w * x) ** 2, parameters=[w])
    seconds = [5.0, *[1e-4] * 199, 0.12, 0.12, 9.0]  # 200 compiled calls, the first of which compiles, and three eager ones
    clock = itertools.accumulate([0.0, *itertools.chain.from_iterable((second, 0.0) for second in seconds)])
    monkeypatch.setattr(stage, "perf_counter", clock.__next__)
    told = stage.race(square, np.array([3.0]), np.array([1.0, 2.0]))
    assert told == "0.1 ms compiled, 120 ms eager: 1200 times faster"


def test_eager_gives_the_mean_and_its_gradient() -> None:
    w = Value(2.0)
    square = autograd.compile(lambda x, y: (w * x - y) ** 2, parameters=[w])
    value, gradient = stage.eager(square)(np.array([3.0]), np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    assert (value, gradient.tolist()) == (6.5, [7.0])  # 3² and 2², halved; 3 · 1 + 2 · 2
    assert w.grad == 0.0


# One neuron


def test_one_neuron_prints_the_gradients_that_one_finds_by_hand(runs: dict[ModuleType, Run]) -> None:
    printed, _, out = runs[one_neuron]
    found = dict(re.findall(r"∂o/∂(\w+) = (\S+) arrives", printed))
    expected = {"o": 1.0, "n": 0.5, "s": 0.5, "x1w1": 0.5, "x2w2": 0.5, "b": 0.5, "x1": -1.5, "w1": 1.0, "x2": 0.5, "w2": 0.0}
    assert {name: float(number) for name, number in found.items()} == expected
    assert "square(sech(a)) = 0.5" in printed
    assert "so ∂o/∂x1 = 0.5 × -3 = -1.5" in printed
    for name, numbers in re.findall(r"^ +(\w+) +backward\(\) says +(.*)$", printed, re.MULTILINE):
        by_backward, by_moving = map(float, numbers.split("moving it gives"))
        assert by_backward == by_moving == expected[name]
    before, after = ["".join(svg(out / f"one_neuron_{when}.svg").itertext()) for when in ("before", "after")]
    assert "-1.5" not in before
    assert "-1.5" in after


# Losses


def test_losses_print_the_identity_and_who_is_better(runs: dict[ModuleType, Run]) -> None:
    printed = runs[losses].printed
    numbers = {row[0]: row[1:] for row in re.findall(r"^(\S.*?)  +(\d\.\d{6}) +(\d\.\d{6}) ", printed, re.MULTILINE)}
    assert numbers == {
        "likelihood": ("0.052800", "0.017493"),  # 0.55 · 0.48 · 0.5 · 0.4, and 0.95 · 0.93 · 0.99 · 0.02
        "-log(likelihood) / 4": ("0.735311", "1.011484"),
        "cross-entropy": ("0.735311", "1.011484"),
        "MSE": ("0.270725", "0.241975"),
    }
    assert "By likelihood the cautious one, by cross-entropy the cautious one, by MSE the bold one." in printed


def test_slopes_are_those_of_the_formulas() -> None:
    p, t, n = losses.BOLD, losses.RAINED, 4
    by_hand = [(pi - ti) / (pi * (1 - pi)) / n for pi, ti in zip(p, t, strict=True)]
    assert losses.slopes(nn.binary_cross_entropy, p) == pytest.approx(by_hand, rel=1e-14)  # a few roundings of 1e-16
    assert losses.slopes(nn.mse_loss, p) == pytest.approx([2 * (pi - ti) / n for pi, ti in zip(p, t, strict=True)], rel=1e-14)


# Moons


def test_moons_learns(runs: dict[ModuleType, Run]) -> None:
    printed = runs[moons].printed
    lost = [float(loss) for loss in re.findall(r"loss (\S+)   accuracy", printed)]
    assert len(lost) == 4
    assert lost[-1] < 0.3 < lost[0]
    assert int(re.findall(r"puts (\d+)% of the 100 points", printed)[0]) >= 90


def test_the_drawn_neuron_has_the_gradients_of_the_score() -> None:
    model = nn.MLP(2, [4, 4, 1], rng=1)
    drawing = moons.draw_neuron(model, [0.5, -0.25])
    gradients = [p.grad for p in model.parameters()]
    model.zero_grad()
    model([0.5, -0.25]).backward()
    assert gradients == [p.grad for p in model.parameters()]
    assert drawing.nodes == 8  # two weights, two inputs, their product, the bias, the sum, the output
    assert "output" in drawing.dot


# Digits


def test_digits_learns(runs: dict[ModuleType, Run]) -> None:
    printed = runs[digits].printed
    assert len(re.findall(r"^epoch", printed, re.MULTILINE)) == 2
    assert float(re.findall(r"it reads \d+: (\S+)%", printed)[0]) >= 70


@pytest.mark.parametrize("options", [[], ["--eager"]], ids=["compiled", "eager"])
def test_ctrl_c_ends_digits_with_what_was_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    thetas, update = [], nn.Adam.update

    def interrupted(optimizer: nn.Adam, theta: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
        thetas.append(theta.tolist())
        if len(thetas) == 5:
            signal.raise_signal(signal.SIGINT)
        return update(optimizer, theta, gradient)

    monkeypatch.setattr(nn.Adam, "update", interrupted)
    reader, models = digits.reader, []
    monkeypatch.setattr(digits, "reader", lambda model: (models.append(model), reader(model))[1])
    digits.main(["--quick", "--out", str(tmp_path), *options])
    assert len(thetas) == 5
    assert [p.data for p in models[-1].parameters()] not in thetas  # it finished the step
    printed = capsys.readouterr().out
    assert "epoch" not in printed
    assert "Stopped" in printed
    assert_is_picture(tmp_path / "digits_mistakes.png")


def test_digits_are_split_with_the_same_share_of_each() -> None:
    training, held_out = digits.load(seed=3)
    assert (len(training), len(held_out)) == (1347, 450)
    for digit in range(10):
        shares = [sum(e.digit == digit for e in examples) / len(examples) for examples in (training, held_out)]
        assert abs(shares[0] - shares[1]) <= 1 / 450  # a whole example at most
    assert all(0.0 <= ink <= 1.0 for ink in training[0].image)


@pytest.mark.parametrize(("mistakes", "shown"), [(0, 0), (1, 1), (8, 8), (9, 9), (40, 40), (41, 40)])
def test_every_mistake_is_shown_the_most_confident_first_up_to_40(mistakes: int, shown: int) -> None:
    right = digits.Reading(digits.Example([0.0] * 64, 3), [0.0, 0.0, 0.0, 1.0] + [0.0] * 6)
    wrong = [digits.Reading(digits.Example([1.0] * 64, 0), [0.1, 0.5 + k / 100] + [0.0] * 8) for k in range(mistakes)]
    figure = digits.draw_mistakes([right, *wrong])
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == shown
    assert figure.get_suptitle().startswith(f"{mistakes} of {mistakes + 1} ")
    odds = [axes.texts[0].get_text() for axes in panels]
    assert odds == [f"1: {0.5 + k / 100:.0%}   0: 10%" for k in reversed(range(mistakes))][:shown]
    assert all(axes.get_title() == "0 read as 1" for axes in panels)


# Fitting a curve


def test_the_fit_is_near_what_was_published(runs: dict[ModuleType, Run]) -> None:
    """The published table is 2.725 K and what is left over; the limits of the potential and the dust are 95 % confidence."""
    found = re.findall(r"^(temp|chem|dust).* (\S+) ± (\S+)   ", runs[fit_curve].printed, re.MULTILINE)
    (temperature, its_error), (potential, _), (dust, its) = [(float(x), float(error)) for _, x, error in found]
    assert abs(temperature - 2.725) < 2 * its_error < 1e-4
    assert abs(potential) < 90
    assert abs(dust) < 2 * its


def test_the_fit_is_where_central_differences_find_it() -> None:
    """SciPy without this engine: the same χ² at the same point, from the same start, with fewer evaluations a gradient.

    How SciPy ends is not asked. The last steps are lost in the rounding of χ²: on some processors it reports success, on others
    a loss of precision, at the same point.
    """
    exact = autograd.scipy.minimize(fit_curve.chi2, fit_curve.START)
    other = optimize.minimize(fit_curve.chi2, fit_curve.START, jac="3-point")
    errors = np.sqrt(np.diag(fit_curve.covariance(exact.x)))
    assert np.abs(exact.x - other.x) == pytest.approx(0.0, abs=1e-3 * errors.min())  # far below what the data can tell
    assert exact.fun == pytest.approx(other.fun, abs=1e-6)  # 1e-3 errors off, χ² is larger by that squared
    assert exact.nfev < 2 * exact.njev
    assert other.nfev > 6 * other.njev  # central differences by three parameters, and the value itself


def test_the_errors_are_those_of_the_linearised_model() -> None:
    """Near the best fit χ² is a sum of squares of almost linear functions: (JᵀJ)⁻¹, with J by central differences."""
    best = optimize.minimize(fit_curve.chi2, fit_curve.START, jac="3-point").x

    def deviations(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([(point.intensity - fit_curve.light(x, point)) / point.error for point in fit_curve.POINTS])

    steps = np.diag([1e-2, 1e-1, 1e-2])
    slopes = np.array([(deviations(best + step) - deviations(best - step)) / (2 * step.max()) for step in steps])
    # what is neglected: the curvature of a deviation, which residuals of either sign weigh against one another
    assert fit_curve.covariance(best) == pytest.approx(np.linalg.inv(slopes @ slopes.T), rel=0.02)


# Regression


def test_the_trained_line_is_that_of_least_squares() -> None:
    """Its coefficients, to 1e-6, though it was found by descending the gradient."""
    training, held_out = regression.load(seed=5)
    coefficients = regression.least_squares(training)
    trained = regression.line(training, seed=3)
    assert nn.parameters_to_vector(trained.parameters()) == pytest.approx(coefficients, abs=1e-6)
    by_formula = held_out.measured @ coefficients[:-1] + coefficients[-1]
    assert regression.predicted(trained, held_out) == pytest.approx(by_formula, abs=1e-5)  # eleven terms of such a kind


def test_regression_prints_the_scores_of_least_squares_for_the_trained_line(runs: dict[ModuleType, Run]) -> None:
    printed = runs[regression].printed
    rows = {
        name: numbers
        for name, *numbers in re.findall(r"^(\S.*?)  +(-?\d\.\d+) +(-?\d\.\d+) +(-?\d\.\d+)$", printed, re.MULTILINE)
    }
    assert rows["least squares, by the formula"] == rows["the same, trained by L-BFGS"]
    mean, line, network = [
        float(rows[name][0])
        for name in ("the mean of the training patients", "least squares, by the formula", "a network, trained by AdamW")
    ]
    assert -0.1 < mean <= 0.0
    assert line > 0.3
    assert network > 0.3
    assert float(re.findall(r"to within (\S+)\.\n", printed)[0]) < 1e-6


def test_r2_is_scikit_learns() -> None:
    _, held_out = regression.load(seed=0)
    guesses = held_out.measured[:, 2] / 2
    assert regression.r2(guesses, held_out) == pytest.approx(r2_score(held_out.progress, guesses), rel=1e-12)


def test_patients_are_scaled_by_those_learned_from_alone() -> None:
    training, held_out = regression.load(seed=0)
    assert (len(training.measured), len(held_out.measured)) == (331, 111)
    for column in (training.measured, training.progress):
        assert column.mean(axis=0) == pytest.approx(0.0, abs=1e-12)
        assert column.std(axis=0) == pytest.approx(1.0, abs=1e-12)
    assert abs(held_out.measured.mean(axis=0)).max() > 1e-3


@pytest.mark.parametrize(("better", "says"), [([0.1, 0.12, 0.11], "in 3 of 3 splits"), ([-0.1, 0.1, 0.01], "in 2 of 3 splits")])
def test_the_verdict_is_that_of_the_numbers(better: list[float], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    regression.print_verdict(np.array(better))
    printed = capsys.readouterr().out
    assert says in printed
    assert ("finds something" in printed) == (min(better) > 0)
