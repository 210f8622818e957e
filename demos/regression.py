"""Does a network beat a straight line? Diabetes a year on, predicted from ten measurements of 442 patients, in three ways.

The line is found twice: by the formula of ordinary least squares, and by descending the gradient. Which model is better is
measured on patients that none has seen, and not once, but for several ways of setting these aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import autograd
import nn
from demos import stage

with stage.extras():
    from matplotlib.figure import Figure
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]


class Patients(NamedTuple):
    """What was measured, of shape (patients, 10), and how far the disease had come a year later, of shape (patients,)."""

    measured: Array
    progress: Array


def load(seed: int) -> tuple[Patients, Patients]:
    """Three quarters of the patients to learn from, in units of mean 0 and variance 1; and one to be tested on, in the same."""
    split = train_test_split(*load_diabetes(return_X_y=True, scaled=False), test_size=0.25, random_state=seed)
    columns = []
    for learned, held_out in (split[:2], split[2:]):
        mean, deviation = learned.mean(axis=0), learned.std(axis=0)
        columns.append([(learned - mean) / deviation, (held_out - mean) / deviation])
    training, held_out = zip(*columns, strict=True)
    return Patients(*training), Patients(*held_out)


def least_squares(patients: Patients) -> Array:
    """Ten weights and an offset, by the formula."""
    rows = np.column_stack([patients.measured, np.ones(len(patients.measured))])
    coefficients: NDArray[Any] = np.linalg.lstsq(rows, patients.progress, rcond=None)[0]
    return coefficients


def line(patients: Patients, seed: int) -> nn.MLP:
    """The same, as a neuron without an activation that was trained."""
    model = nn.MLP(10, [1], rng=seed)
    search = nn.LBFGS(model.parameters(), max_iter=1000, tolerance_grad=1e-10, tolerance_change=0.0)
    nn.fit(model, *patients, loss=nn.mse_loss, optimizer=search, epochs=1, batch_size=None, progress=False)
    return model


def network(patients: Patients, seed: int) -> nn.MLP:
    """A network of 16 neurons, which is trained until it predicts a fifth of its patients, set aside for that, no better."""
    model = nn.MLP(10, [16, 1], activation="tanh", rng=seed)
    nn.fit(
        model,
        *patients,
        loss=nn.mse_loss,
        optimizer=nn.AdamW(model.parameters(), lr=0.005, weight_decay=1.0),
        epochs=300,
        validation=0.2,
        early_stopping=nn.EarlyStopping(20),
        rng=seed,
        progress=False,
    )
    return model


def predicted(model: nn.MLP, patients: Patients) -> Array:
    """How far a model says that the disease will have come."""
    found: Array = autograd.compile(model, reduction=None)(patients.measured)
    return found


def r2(predictions: Array, patients: Patients) -> float:
    """The part of the variance that was predicted: 1 if all of it was, 0 for the mean of these patients."""
    left, all_of_it = patients.progress - predictions, patients.progress - patients.progress.mean()
    return float(1 - left @ left / (all_of_it @ all_of_it))


def draw_predictions(models: dict[str, Array], patients: Patients) -> Figure:
    """What was predicted for each patient held out, over what came."""
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    figure.suptitle(
        "What ten measurements say of a patient's next year: a network says what a line says", color=stage.INK, fontsize=14
    )
    panels = figure.subplots(1, len(models), sharex=True, sharey=True)
    edges = [min(patients.progress.min(), -2.0), max(patients.progress.max(), 2.5)]
    for panel, colour, (name, predictions) in zip(panels, (stage.BLUE, stage.AMBER), models.items(), strict=True):
        panel.plot(edges, edges, color=stage.INK, linewidth=1, linestyle="--")
        panel.scatter(patients.progress, predictions, s=30, color=colour, edgecolors="white", linewidths=0.5, zorder=3)
        panel.set_title(f"{name}: R² = {r2(predictions, patients):.2f}", color=stage.INK, fontsize=13)
        panel.set(xlabel="measured a year later, in standard deviations", aspect="equal")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("predicted")
    panels[0].annotate("dashed: predicted = measured", (edges[0], edges[1]), color=stage.INK, va="top")
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    options = stage.options("regression", __doc__, argv)
    splits = 3 if options.quick else 20
    scores, apart, figure = [], 0.0, Figure()
    for split in stage.progress(range(splits), "training"):
        seed = (options.seed + split) % 2**32
        training, held_out = load(seed)
        coefficients, trained = least_squares(training), line(training, seed)
        apart = max(apart, *np.abs(nn.parameters_to_vector(trained.parameters()) - coefficients))
        by_formula = held_out.measured @ coefficients[:-1] + coefficients[-1]
        by_line, by_network = predicted(trained, held_out), predicted(network(training, seed), held_out)
        mean = np.zeros(len(by_formula))
        scores.append([r2(predictions, held_out) for predictions in (mean, by_formula, by_line, by_network)])
        if split == 0:
            figure = draw_predictions({"Straight line": by_line, "Network": by_network}, held_out)
    print(f"{len(training.measured)} patients to learn from, {len(held_out.measured)} held out, in {splits} ways.\n")
    print(f"{'R² of patients held out':32}{'mean':>8}{'worst':>8}{'best':>8}")
    names = (
        "the mean of those learned from",
        "least squares, by the formula",
        "the same, trained by L-BFGS",
        "a network, trained by AdamW",
    )
    for name, column in zip(names, np.transpose(scores), strict=True):
        print(f"{name:32}{column.mean():8.3f}{column.min():8.3f}{column.max():8.3f}")
    print(f"\nThe trained coefficients are those of the formula: the furthest is {apart:.0e} off.")
    _, _, of_line, of_network = np.transpose(scores)
    print_verdict(of_network - of_line)
    print("Wrote", stage.save(figure, options.out / "regression.png"))


def print_verdict(better: Array) -> None:
    """What the R² of the network, less that of the line, says of the two: a number for each way of setting patients aside."""
    mean, deviation, won = better.mean(), better.std(ddof=1), (better > 0).sum()
    print(
        f"The network's R² is the higher one in {won} of {len(better)} ways; the difference is {mean:+.3f} ± {deviation:.3f}."
    )
    if mean > deviation:
        print("The network sees something that the line cannot.")
    else:
        print("Sixteen neurons find nothing in ten measurements that the line, which can be read, does not say as well.")


if __name__ == "__main__":
    main()
