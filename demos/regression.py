"""Compares a network with a straight line: both predict the progress of diabetes from ten measurements of 442 patients.

The line is found twice, by the formula of ordinary least squares and by gradient-based training. The models are compared on
patients that they were not trained on, in several random splits.
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
    """Measurements, of shape (patients, 10), and the progress of the disease a year later, of shape (patients,)."""

    measured: Array
    progress: Array


def load(seed: int) -> tuple[Patients, Patients]:
    """Return three quarters of the patients for training, standardized to mean 0 and variance 1, and one in the same units."""
    split = train_test_split(*load_diabetes(return_X_y=True, scaled=False), test_size=0.25, random_state=seed)
    columns = []
    for learned, held_out in (split[:2], split[2:]):
        mean, deviation = learned.mean(axis=0), learned.std(axis=0)
        columns.append([(learned - mean) / deviation, (held_out - mean) / deviation])
    training, held_out = zip(*columns, strict=True)
    return Patients(*training), Patients(*held_out)


def least_squares(patients: Patients) -> Array:
    """Return ten weights and an offset, by the formula."""
    rows = np.column_stack([patients.measured, np.ones(len(patients.measured))])
    coefficients: NDArray[Any] = np.linalg.lstsq(rows, patients.progress, rcond=None)[0]
    return coefficients


def line(patients: Patients, seed: int) -> nn.MLP:
    """Return the same line as a trained neuron without an activation."""
    model = nn.MLP(10, [1], rng=seed)
    search = nn.LBFGS(model.parameters(), max_iter=1000, tolerance_grad=1e-10, tolerance_change=0.0)
    nn.fit(model, *patients, loss=nn.mse_loss, optimizer=search, epochs=1, batch_size=None, progress=False)
    return model


def network(patients: Patients, seed: int) -> nn.MLP:
    """Return a network with 16 hidden neurons, trained until its predictions of a validation fifth no longer improve."""
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
    """Return the progress of the disease that a model predicts."""
    found: Array = autograd.compile(model, reduction=None)(patients.measured)
    return found


def r2(predictions: Array, patients: Patients) -> float:
    """Return the fraction of the variance that was predicted: 1 for perfect predictions, 0 for the mean of these patients."""
    left, all_of_it = patients.progress - predictions, patients.progress - patients.progress.mean()
    return float(1 - left @ left / (all_of_it @ all_of_it))


def draw_predictions(models: dict[str, Array], patients: Patients) -> Figure:
    """Draw the prediction for each held-out patient over what was measured."""
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    figure.suptitle(
        "Diabetes, predicted from ten measurements: a network does no better than a line", color=stage.INK, fontsize=14
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
    print(f"{len(training.measured)} patients for training, {len(held_out.measured)} held out, in {splits} random splits.\n")
    print(f"{'R² of patients held out':32}{'mean':>8}{'worst':>8}{'best':>8}")
    names = (
        "the mean of the training patients",
        "least squares, by the formula",
        "the same, trained by L-BFGS",
        "a network, trained by AdamW",
    )
    for name, column in zip(names, np.transpose(scores), strict=True):
        print(f"{name:32}{column.mean():8.3f}{column.min():8.3f}{column.max():8.3f}")
    print(f"\nThe trained coefficients equal those of the formula to within {apart:.0e}.")
    _, _, of_line, of_network = np.transpose(scores)
    print_verdict(of_network - of_line)
    print("Wrote", stage.save(figure, options.out / "regression.png"))


def print_verdict(better: Array) -> None:
    """Print which model is better. ``better`` is the R² of the network minus that of the line, for each split."""
    mean, deviation, won = better.mean(), better.std(ddof=1), (better > 0).sum()
    print(
        f"The network's R² is the higher one in {won} of {len(better)} splits; the difference is {mean:+.3f} ± {deviation:.3f}."
    )
    if mean > deviation:
        print("The network finds something that the line does not.")
    else:
        print("Sixteen neurons find nothing that the line, which is easier to interpret, does not find as well.")


if __name__ == "__main__":
    main()
