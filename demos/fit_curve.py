"""Fits Planck's law to the cosmic microwave background, the oldest light there is, by SciPy with exact gradients.

FIRAS, an instrument of the satellite COBE, measured the spectrum of this light at 43 frequencies, to a few parts in 100,000.
Three parameters are fitted: the temperature, a chemical potential, which says how far the light is out of equilibrium, and how
much light of the Galaxy's dust is still in the data.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import autograd.scipy
from autograd import Value, gradient, math
from demos import stage

with stage.extras():
    from matplotlib.figure import Figure
    from scipy import optimize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

H, C, K = 6.62607015e-34, 299_792_458.0, 1.380649e-23
"""Planck's constant (J s), the speed of light (m/s), Boltzmann's constant (J/K): exact in the SI."""
MJY = 1e-20
"""A megajansky, in W/m²/Hz."""
MILLIKELVIN, MU = 1e-3, 1e-4
"""The units of temperature and chemical potential in the fit. A change by 1 matters about as much in each."""

START = (5000.0, 0.0, 0.0)
"""Alpher and Herman predicted about 5 K (Nature 162, 774, 1948), before anyone had measured it."""
PUBLISHED = ("2.7255 ± 0.0006", "between -90 and 90", "0, as the table excludes it")
"""Fixsen, ApJ 707, 916 (2009); Fixsen et al., ApJ 473, 576 (1996), at 95 % confidence."""
PARAMETERS = (
    ("temperature, K", MILLIKELVIN, 6),
    ("chemical potential, 1e-6", MU / 1e-6, 0),
    ("dust, parts of the Galaxy's", 1.0, 3),
)
"""For each parameter: its name, its unit in the fit in terms of the printed unit, and the number of digits."""


class Point(NamedTuple):
    """A measurement from Fixsen et al. (1996), table 4, a public data product of NASA (LAMBDA, firas_monopole_spec_v1).

    The intensity is that of a black body of 2.725 K plus the measured residual.
    """

    wavenumber: float
    """In 1/cm."""
    intensity: float
    """In MJy/sr, like the next two."""
    error: float
    """The standard deviation."""
    dust: float
    """The intensity of the Galaxy at its poles."""


POINTS = [
    Point(*numbers)
    for numbers in (
    (2.27, 200.723, 0.014, 0.004), (2.72, 249.508, 0.019, 0.003), (3.18, 293.024, 0.025, -0.001),
    (3.63, 327.770, 0.023, -0.001), (4.08, 354.081, 0.022, 0.003), (4.54, 372.079, 0.021, 0.006),
    (4.99, 381.493, 0.018, 0.008), (5.45, 383.478, 0.018, 0.008), (5.90, 378.901, 0.016, 0.01),
    (6.35, 368.833, 0.014, 0.01), (6.81, 354.063, 0.013, 0.012), (7.26, 336.278, 0.012, 0.02),
    (7.71, 316.076, 0.011, 0.025), (8.17, 293.924, 0.01, 0.03), (8.62, 271.432, 0.011, 0.036),
    (9.08, 248.239, 0.012, 0.041), (9.53, 225.940, 0.014, 0.046), (9.98, 204.327, 0.016, 0.057),
    (10.44, 183.262, 0.018, 0.065), (10.89, 163.830, 0.022, 0.073), (11.34, 145.750, 0.022, 0.093),
    (11.80, 128.835, 0.023, 0.098), (12.25, 113.568, 0.023, 0.105), (12.71, 99.451, 0.023, 0.121),
    (13.16, 87.036, 0.022, 0.135), (13.61, 75.876, 0.021, 0.147), (14.07, 65.766, 0.02, 0.16),
    (14.52, 57.008, 0.019, 0.178), (14.97, 49.223, 0.019, 0.199), (15.43, 42.267, 0.019, 0.221),
    (15.88, 36.352, 0.021, 0.227), (16.34, 31.062, 0.023, 0.25), (16.79, 26.580, 0.026, 0.275),
    (17.24, 22.644, 0.028, 0.295), (17.70, 19.255, 0.03, 0.312), (18.15, 16.391, 0.032, 0.336),
    (18.61, 13.811, 0.033, 0.363), (19.06, 11.716, 0.035, 0.405), (19.51, 9.921, 0.041, 0.421),
    (19.97, 8.364, 0.055, 0.435), (20.42, 7.087, 0.088, 0.477), (20.87, 5.801, 0.155, 0.519), (21.33, 4.523, 0.282, 0.573),
    )
]  # fmt: skip


def light(x: Any, point: Point) -> Any:
    """Return the intensity at the frequency of ``point``: Planck's law with a chemical potential, plus dust."""
    temperature, potential, dust = x
    frequency = 100 * C * point.wavenumber
    planck = 2 * H * frequency**3 / C**2 / MJY / math.expm1(H * frequency / (K * MILLIKELVIN * temperature) + MU * potential)
    return planck + dust * point.dust


def chi2(x: Any) -> Any:
    """Return the sum of squared differences between model and measurements, in standard deviations. ``x`` may be Values."""
    total = 0.0
    for point in POINTS:
        total = total + ((point.intensity - light(x, point)) / point.error) ** 2
    return total


def covariance(x: Sequence[float]) -> NDArray[Any]:
    """Return the covariance of the parameters at the best fit ``x``: the inverse of half the Hessian of ``chi2``."""
    values = [Value(number) for number in x]
    slopes = gradient(chi2(values), values, create_graph=True)
    return np.linalg.inv([[second / 2 for second in gradient(slope, values)] for slope in slopes])


def draw_fit(x: NDArray[np.float64]) -> Figure:
    """Draw the measurements, the fitted spectrum, the start of the search, and the residuals."""
    figure = Figure(figsize=(8, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    at, measured, errors, _ = np.array(POINTS).T
    fine = [Point(wavenumber, 0.0, 0.0, 0.0) for wavenumber in np.linspace(1.0, 22.0, 300).tolist()]
    at_fine = [point.wavenumber for point in fine]
    above.plot(at_fine, [light(START, point) for point in fine], color=stage.INK, linewidth=1, linestyle="--")
    above.plot(at_fine, [light((*x[:2], 0.0), point) for point in fine], color=stage.BLUE, linewidth=2)
    enlarged = 400
    above.errorbar(at, measured, enlarged * errors, fmt="o", markersize=4, color=stage.AMBER, ecolor=stage.AMBER, zorder=3)
    above.annotate("the search begins at 5 K", (2.2, 408), color=stage.INK, fontsize=11)
    above.annotate(f"Planck's law at {MILLIKELVIN * x[0]:.4f} K", (8.6, 285), color=stage.BLUE, fontsize=12)
    above.annotate(
        f"measured by COBE/FIRAS\n(error bars {enlarged} times too long)", (11.9, 140), color=stage.AMBER, fontsize=12
    )
    above.set(ylabel="intensity, MJy/sr", ylim=(0, 430))
    above.set_title("The oldest light has the spectrum of an oven at 2.725 K", color=stage.INK, fontsize=14, pad=12)

    left = [1000 * (point.intensity - light(x, point)) for point in POINTS]
    below.axhline(0.0, color=stage.BLUE, linewidth=2)
    below.errorbar(at, left, 1000 * errors, fmt="o", markersize=4, color=stage.AMBER, ecolor=stage.AMBER)
    below.set(xlabel="wavenumber, 1/cm", ylabel="measured - fit, kJy/sr", xlim=(1, 22), ylim=(-160, 160))
    outside = f"below: {left[-1]:.0f} ± {1000 * errors[-1]:.0f}"
    arrow = {"arrowstyle": "->", "color": stage.AMBER}
    below.annotate(outside, (21.33, -155), (20.4, -130), color=stage.AMBER, ha="right", va="center", arrowprops=arrow)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    options = stage.options("fit_curve", __doc__, argv)
    searches = {
        "exact": autograd.scipy.minimize,
        "by differences": optimize.minimize,
        "by central differences": partial(optimize.minimize, jac="3-point"),
    }
    found = {how: minimize(chi2, START) for how, minimize in stage.progress(searches.items(), "fitting")}
    best = found["exact"]
    print(f"{len(POINTS)} measurements, {len(START)} parameters. χ²: {chi2(START):.3g} at the start, {best.fun:.2f} at best.\n")
    print(f"{'':34}{'start':>6}   {'fit':>22}   published")
    errors = np.sqrt(np.diag(covariance(best.x)))
    for (name, unit, digits), start, x, error, published in zip(PARAMETERS, START, best.x, errors, PUBLISHED, strict=True):
        fitted = f"{unit * x:.{digits}f} ± {unit * error:.{digits}f}"
        print(f"{name:34}{unit * start:6g}   {fitted:>22}   {published}")
    free = len(POINTS) - len(START)
    expected = f"{free} ± {math.sqrt(2 * free):.0f}"
    print(f"""
If the model is right and the errors are independent, χ² should be {expected}. The errors of the parameters come from the second
derivatives of χ², found by differentiating twice. They say how well the shape of the spectrum tells one temperature from
another. They do not include the error of the absolute scale, which is 20 times as large: the table holds the residuals of 1996
added to a black body of 2.725 K, a temperature that was calibrated later. The fit answers whether the shape is Planck's. It is.
""")
    print(f"{'gradient of χ²':22} {'calls of χ²':>11}   {'above the least χ²':>18}   SciPy says")
    least = min(result.fun for result in found.values())
    for how, result in found.items():
        print(f"{how:22} {result.nfev:11}   {result.fun - least:18.0e}   {result.message.rstrip('.')}")
    print("\nWrote", stage.save(draw_fit(best.x), options.out / "fit_curve.png"))


if __name__ == "__main__":
    main()
