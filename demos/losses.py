"""Compares losses: likelihood, cross-entropy and squared error judge the same four days of two weather forecasters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nn
from autograd import Value, math
from demos import stage

with stage.extras():
    from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday")
RAINED = (1, 0, 1, 1)
CAUTIOUS = (0.55, 0.52, 0.50, 0.40)  # the probability of rain, as this model gave it the day before
BOLD = (0.95, 0.07, 0.99, 0.02)
MODELS = {"cautious": CAUTIOUS, "bold": BOLD}


def given(forecast: Sequence[float]) -> list[float]:
    """Return the probability given to what happened on each day."""
    return [p if rained else 1 - p for p, rained in zip(forecast, RAINED, strict=True)]


def slopes(loss: Callable[[Any, Any], Value], forecast: Sequence[float]) -> list[float]:
    """Return the derivative of ``loss`` by each probability of rain."""
    probabilities = [Value(p) for p in forecast]
    loss(probabilities, RAINED).backward()
    return [p.grad for p in probabilities]


def print_days() -> None:
    """Print a table of the days: the forecasts, and the slopes of the losses by each forecast."""
    print(f"{'':26}" + "".join([f"{name:<46}" for name in MODELS]).rstrip())
    print("day         happened" + "      said rain   given   slope of CE, MSE" * len(MODELS))
    columns = [
        (forecast, given(forecast), slopes(nn.binary_cross_entropy, forecast), slopes(nn.mse_loss, forecast))
        for forecast in MODELS.values()
    ]
    for k, day in enumerate(DAYS):
        cells = [f"{said[k]:15.0%} {p[k]:7.0%}   {ce[k]:+11.2f}, {mse[k]:+5.2f}" for said, p, ce, mse in columns]
        print(f"{day:<11} {'rain' if RAINED[k] else 'dry':<8}" + "".join(cells))
    print("(given: the probability given to what happened; CE: cross-entropy; slope: by the probability of rain)\n")


def print_losses() -> None:
    """Print a table of each measure of each model."""
    n = len(DAYS)
    measures = {
        "likelihood": (nn.likelihood, "the product of the probabilities given; higher is better"),
        f"-log(likelihood) / {n}": (lambda p, t: -math.log(nn.likelihood(p, t)) / n, "always equals the next number"),
        "cross-entropy": (nn.binary_cross_entropy, "the mean of -log(given); lower is better"),
        "MSE": (nn.mse_loss, "the mean of (1 - given)²; lower is better"),
    }
    print(f"{'':20}" + "".join([f"{name:>10}" for name in MODELS]))
    for name, (measure, meaning) in measures.items():
        print(f"{name:<20}" + "".join([f"{measure(p, RAINED):10.6f}" for p in MODELS.values()]) + f"   {meaning}")
    print()


def print_verdict() -> None:
    """Print which model each measure prefers, and why they disagree."""
    likely = max(MODELS, key=lambda name: nn.likelihood(MODELS[name], RAINED))
    unsurprised = min(MODELS, key=lambda name: nn.binary_cross_entropy(MODELS[name], RAINED))
    close = min(MODELS, key=lambda name: nn.mse_loss(MODELS[name], RAINED))
    p, k = min(zip(given(BOLD), range(len(DAYS)), strict=True))  # the worst day
    steep, flat = slopes(nn.binary_cross_entropy, BOLD)[k], slopes(nn.mse_loss, BOLD)[k]
    print(f"""\
Which model is better? By likelihood the {likely} one, by cross-entropy the {unsurprised} one, by MSE the {close} one.
Likelihood and cross-entropy cannot disagree: one is the logarithm of the other. On {DAYS[k]} the bold model gave {p:.0%}
to what happened. That multiplies its likelihood by {p}, and costs -log({p}) = {-math.log(p):.2f} in cross-entropy. MSE
charges {nn.mse_loss(p, 1):.2f} for it, and never more than 1 for a day, so that three good days make up for it.

What do they teach? The sign of a slope gives the direction (negative: say more rain), its size how urgent it is. For the
mistake of {DAYS[k]}, cross-entropy has the slope {steep:.2f}, {steep / flat:.0f} times that of MSE, {flat:.2f}. It grows
without limit as the probability given to what happened approaches 0. That of MSE never exceeds 2/{len(DAYS)}. Cross-entropy
therefore corrects confident mistakes first.
""")


def draw_losses() -> Figure:
    """Draw both losses by the probability given to what happened, and mark the days of both models."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    percent = range(1, 101)
    for name, loss, where in (("cross-entropy", nn.binary_cross_entropy, (11, 2.4)), ("MSE", nn.mse_loss, (11, 0.9))):
        curve = [loss(p / 100, 1) for p in stage.progress(percent, name)]
        axes.plot(percent, curve, color=stage.INK, linewidth=1.5)
        axes.annotate(name, where, color=stage.INK, fontsize=12)
        for forecast, colour in ((CAUTIOUS, stage.BLUE), (BOLD, stage.AMBER)):
            days = [100 * p for p in given(forecast)]
            axes.scatter(days, [loss(p, 1) for p in given(forecast)], s=70, color=colour, edgecolors="white", zorder=3)
    p = given(BOLD)[-1]
    cost = nn.binary_cross_entropy(p, 1)
    story = f"bold, Thursday: {p:.0%} for the rain that came\ncosts {cost:.2f} in cross-entropy, {nn.mse_loss(p, 1):.2f} in MSE"
    axes.annotate(story, (100 * p + 3, cost), color=stage.AMBER, fontsize=12, va="center")
    axes.annotate("cautious: four shrugs", (47, 1.05), color=stage.BLUE, fontsize=12)
    axes.annotate("bold: three good days", (99, 0.42), color=stage.AMBER, fontsize=12, ha="right")
    axes.set(xlabel="probability given to what happened, in %", ylabel="loss", xlim=(-1, 102), ylim=(-0.1, 4.7))
    axes.set_title("Cross-entropy punishes confident mistakes, MSE forgives them", color=stage.INK, fontsize=14, pad=12)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    options = stage.options("losses", __doc__, argv)
    print_days()
    print_losses()
    print_verdict()
    print("Wrote", stage.save(draw_losses(), options.out / "losses.png"))


if __name__ == "__main__":
    main()
