"""The equations of docs/clv.md, written out plainly, give the numbers of the code."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import beta as B
from scipy.special import betainc, comb, gamma, hyp2f1, hyperu
from scipy.stats import betaprime

from clvspark.clv import (
    BetaGeoBetaBinomModel,
    BetaGeoModel,
    CondensedBetaGeoModel,
    GammaGammaModel,
    ModifiedBetaGeoModel,
    NBDModel,
    NormalNormalModel,
    ParetoNBDModel,
    ShiftedBetaGeoModel,
)
from clvspark.clv.uncertainty import OutcomeModel, linearise, widen_interval

R, ALPHA, LEAVE, STAY, S, BETA = 0.6, 8.0, 0.8, 2.5, 0.7, 11.0
X, T_X, T, LOG_INTERVALS = 4, 21.0, 30.0, 5.9
H, D, K = 40.0, 0.004, 3
HISTORY = pd.DataFrame(
    {"frequency": [X], "recency": [T_X], "T": [T], "log_intervals": [LOG_INTERVALS]}
)
WHOLE = pd.DataFrame({"frequency": [3], "recency": [5], "T": [8]})


@dataclass(frozen=True)
class Written:
    """What the page says of one model: numbers of `history`, and functions of a time."""

    model: Any
    likelihood: float
    alive: float
    purchases: Callable[[float], float]
    new: Callable[[float], float]
    pmf: Callable[[int, float], float]
    discounted: Callable[[float], float]
    discounted_ever: float
    history: pd.DataFrame = field(default_factory=lambda: HISTORY)


def negative_binomial(n: int, t: float) -> float:
    return (
        gamma(R + n)
        / (gamma(R) * math.factorial(n))
        * (ALPHA / (ALPHA + t)) ** R
        * (t / (ALPHA + t)) ** n
    )


def integral(function: Callable[[float], float], low: float, high: float) -> float:
    return quad(function, low, high, epsabs=0, epsrel=1e-11, limit=300)[0]


def nbd() -> Written:
    rate = (R + X) / (ALPHA + T)
    return Written(
        NBDModel.from_params({"r": R, "alpha": ALPHA}, time_unit="week"),
        gamma(R + X) / gamma(R) * ALPHA**R * (ALPHA + T) ** -(R + X),
        1.0,
        lambda h: rate * h,
        lambda t: R / ALPHA * t,
        negative_binomial,
        lambda h: rate * (1 - math.exp(-D * h)) / D,
        rate / D,
    )


def pareto() -> Written:
    alive = (ALPHA + T) ** -(R + X) * (BETA + T) ** -S
    gone = S * integral(lambda u: (ALPHA + u) ** -(R + X) * (BETA + u) ** -(S + 1), T_X, T)
    rate = (R + X) / (ALPHA + T)

    def lives(k: float, c: float, life: float, h: float) -> float:
        return k / c * life / (S - 1) * (1 - (life / (life + h)) ** (S - 1))

    def pmf(n: int, t: float) -> float:
        died = integral(
            lambda u: negative_binomial(n, u) * S / BETA * (1 + u / BETA) ** -(S + 1), 0, t
        )
        return negative_binomial(n, t) * (BETA / (BETA + t)) ** S + died

    def left(u: float) -> float:
        return ((BETA + T) / (BETA + T + u)) ** S * math.exp(-D * u)

    return Written(
        ParetoNBDModel.from_params(
            {"r": R, "alpha": ALPHA, "s": S, "beta": BETA}, time_unit="week"
        ),
        gamma(R + X) / gamma(R) * ALPHA**R * BETA**S * (alive + gone),
        alive / (alive + gone),
        partial(lives, R + X, ALPHA + T, BETA + T),
        partial(lives, R, ALPHA, BETA),
        pmf,
        lambda h: rate * integral(left, 0, h),
        rate * (BETA + T) * hyperu(1, 2 - S, D * (BETA + T)),
    )


def beta_geo(model: Any, first: int) -> Written:
    c = X + first
    alive = (ALPHA + T) ** -(R + X)
    odds = LEAVE / (STAY + c - 1)
    gone = odds * (ALPHA + T_X) ** -(R + X)

    def lives(k: float, at: float, b: float, h: float) -> float:
        third = LEAVE + b - 1
        part = hyp2f1(k, b, third, h / (at + h))
        return third / (LEAVE - 1) * (1 - (at / (at + h)) ** k * part)

    def pmf(n: int, t: float) -> float:
        chances = n + first
        reached = betainc(n, R, t / (ALPHA + t)) if n else 1.0
        gone = B(LEAVE + 1, STAY + chances - 1) / B(LEAVE, STAY) * reached if chances else 0.0
        return B(LEAVE, STAY + chances) / B(LEAVE, STAY) * negative_binomial(n, t) + gone

    def rate(u: float) -> float:
        at = ALPHA + T
        shape = hyp2f1(R + X + 1, LEAVE, LEAVE + STAY + c, -u / at)
        return (R + X) / at * shape * math.exp(-D * u)

    starts = STAY / (LEAVE + STAY) if first else 1.0
    return Written(
        model.from_params({"r": R, "alpha": ALPHA, "a": LEAVE, "b": STAY}, time_unit="week"),
        gamma(R + X) / gamma(R) * ALPHA**R * B(LEAVE, STAY + c) / B(LEAVE, STAY) * (alive + gone),
        1 / (1 + odds * ((ALPHA + T) / (ALPHA + T_X)) ** (R + X)),
        partial(lives, R + X, ALPHA + T, STAY + c),
        lambda t: starts * lives(R, ALPHA, STAY + first, t),
        pmf,
        lambda h: integral(rate, 0, h),
        integral(rate, 0, np.inf),
    )


def regular(first: bool) -> Written:
    c, k = X + first, R + K * X
    stages = [
        gamma(k + j) / math.factorial(j) * (T - T_X) ** j * (ALPHA + T) ** -(k + j)
        for j in range(K)
    ]
    gone = LEAVE / (STAY + c - 1) * gamma(k) * (ALPHA + T_X) ** -k
    every = sum(stages) + gone
    shares = [stage / every for stage in stages]

    def lives(j: int, shape: float, at: float, b: float, h: float) -> float:
        z, survived = h / (at + h), 1.0
        total = 0.0
        for n in range(1, 400):
            total += survived * betainc(n * K - j, shape + j, z)
            survived = B(LEAVE, b + n) / B(LEAVE, b)
        return total

    def purchases(h: float) -> float:
        alive = sum(shares)
        each = (p * lives(j, k, ALPHA + T, STAY + c, h) for j, p in enumerate(shares))
        return sum(each) / alive

    def pmf(n: int, t: float) -> float:
        z, chances = t / (ALPHA + t), n + first
        reached = betainc(n * K, R, z) if n else 1.0
        more = betainc((n + 1) * K, R, z)
        gone = B(LEAVE + 1, STAY + chances - 1) / B(LEAVE, STAY) * reached if chances else 0.0
        return B(LEAVE, STAY + chances) / B(LEAVE, STAY) * (reached - more) + gone

    def ever() -> float:
        def of_rate(j: int, log_rate: float) -> float:
            rate, shape, at = math.exp(log_rate), k + j, ALPHA + T
            phi = rate / (rate + D)
            density = (at * rate) ** shape * math.exp(-at * rate) / gamma(shape)
            b = STAY + c
            return density * phi ** (K - j) * hyp2f1(1, b, LEAVE + b, phi**K)

        each = (p * integral(partial(of_rate, j), -12, 4) for j, p in enumerate(shares))
        return sum(each) / sum(shares)

    def discounted(h: float) -> float:
        later = quad(lambda u: math.exp(-D * u) * purchases(u), 0, h, epsrel=1e-9)[0]
        return math.exp(-D * h) * purchases(h) + D * later

    starts = STAY / (LEAVE + STAY) if first else 1.0
    rhythm = math.exp((K - 1) * LOG_INTERVALS) / gamma(K) ** X
    return Written(
        CondensedBetaGeoModel.from_params(
            {"r": R, "alpha": ALPHA, "a": LEAVE, "b": STAY},
            time_unit="week",
            regularity=K,
            dropout_at_first_purchase=first,
        ),
        ALPHA**R / gamma(R) * B(LEAVE, STAY + c) / B(LEAVE, STAY) * every * rhythm,
        sum(shares),
        purchases,
        lambda t: starts * lives(0, R, ALPHA, STAY + first, t),
        pmf,
        discounted,
        ever(),
    )


def beta_binomial() -> Written:
    a, b, g, d = 1.2, 0.75, 0.66, 2.8
    x, last, due = (int(WHOLE[name].iloc[0]) for name in ("frequency", "recency", "T"))

    def died(m: int, until: int) -> float:
        return B(g + (m < until), d + m) / B(g, d)

    terms = [B(a + x, b + m - x) / B(a, b) * died(m, due) for m in range(last, due + 1)]

    def lives(bought: float, seen: int, h: float, discount: float = 0.0) -> float:
        each = (
            math.exp(-discount * i) * B(g, d + seen + i) / B(g, d + seen)
            for i in range(1, int(h) + 1)
        )
        return (a + bought) / (a + b + seen) * sum(each)

    def pmf(n: int, t: float) -> float:
        return sum(
            comb(m, n) * B(a + n, b + m - n) / B(a, b) * died(m, int(t))
            for m in range(n, int(t) + 1)
        )

    v, lived = math.exp(-D), d + due
    ever = v * lived / (g + lived) * hyp2f1(1, lived + 1, g + lived + 1, v)
    return Written(
        BetaGeoBetaBinomModel.from_params(
            {"alpha": a, "beta": b, "gamma": g, "delta": d}, time_unit="week"
        ),
        sum(terms),
        terms[-1] / sum(terms),
        partial(lives, x, due),
        partial(lives, 0, 0),
        pmf,
        partial(lives, x, due, discount=D),
        (a + x) / (a + b + due) * ever,
        WHOLE,
    )


MODELS = {
    "NBD": nbd,
    "Pareto/NBD": pareto,
    "BG/NBD": partial(beta_geo, BetaGeoModel, 0),
    "MBG/NBD": partial(beta_geo, ModifiedBetaGeoModel, 1),
    "BG/CNBD-3": partial(regular, first=False),
    "MBG/CNBD-3": partial(regular, first=True),
    "BG/BB": beta_binomial,
}


@pytest.mark.parametrize("name", MODELS)
def test_purchases_are_what_the_page_says(name: str) -> None:
    said = MODELS[name]()
    model, history = said.model, said.history
    close = partial(pytest.approx, rel=1e-7)
    assert math.exp(model.log_likelihood(history)) == close(said.likelihood)
    assert model.expected_probability_alive(history).item() == close(said.alive)
    expected = model.expected_purchases(history, future_t=H).item()
    assert expected == close(said.alive * said.purchases(H))
    assert model.expected_purchases_new_customer(t=H) == close(said.new(H))
    for n in (0, 1, 3):
        found = model.probability_of_n_purchases(n=n, t=H).item()
        assert found == close(said.pmf(n, H))
    ask = partial(
        model.discounted_expected_residual_transactions, history, discount_rate_per_unit=D
    )
    assert ask(horizon=H).item() == close(said.alive * said.discounted(H))
    assert ask().item() == close(said.alive * said.discounted_ever)


def test_renewals_are_what_the_page_says() -> None:
    a, b, made, due = 0.67, 3.8, 4, 6
    model = ShiftedBetaGeoModel.from_params({"alpha": a, "beta": b}, time_unit="year")
    rows = pd.DataFrame({"recency": [made, due], "T": [due, due]})
    assert math.exp(model.log_likelihood(rows)) == pytest.approx(
        B(a + 1, b + made) / B(a, b) * B(a, b + due) / B(a, b)
    )
    later = B(a, b + due + 2) / B(a, b + due)
    assert model.expected_probability_alive(rows, future_t=2).tolist() == pytest.approx([0, later])
    assert model.expected_survival(t=3) == pytest.approx(B(a, b + 3) / B(a, b))
    assert model.expected_retention_rate(t=3) == pytest.approx((b + 2) / (a + b + 2))
    v, lived = math.exp(-0.1), b + due
    ever = v * lived / (a + lived) * hyp2f1(1, lived + 1, a + lived + 1, v)
    found = model.expected_residual_lifetime(rows, discount_rate_per_unit=0.1)
    assert found.tolist() == pytest.approx([0, ever])


def test_spend_is_what_the_page_says() -> None:
    p, q, v, x, z = 6.2, 3.7, 15.4, 4, 33.0
    rows = pd.DataFrame({"frequency": [x, 2], "monetary_value": [z, 50.0]})
    model = GammaGammaModel.from_params({"p": p, "q": q, "v": v}, time_unit="week")

    def density(n: int, mean: float) -> float:
        constant = gamma(p * n + q) / (gamma(p * n) * gamma(q)) * v**q
        return constant * mean ** (p * n - 1) * n ** (p * n) * (v + n * mean) ** -(p * n + q)

    assert math.exp(model.log_likelihood(rows)) == pytest.approx(density(x, z) * density(2, 50.0))
    assert model.expected_customer_spend(rows)[0] == pytest.approx(
        p * (v + x * z) / (p * x + q - 1)
    )
    assert model.expected_new_customer_spend() == pytest.approx(p * v / (q - 1))
    mu, tau, sigma = 20.0, 9.0, 30.0
    normal = NormalNormalModel.from_params({"mu": mu, "tau": tau, "sigma": sigma}, time_unit="week")
    expected = mu + (z - mu) * x / (x + sigma**2 / tau**2)
    assert normal.expected_customer_spend(rows)[0] == pytest.approx(expected)


def test_outcomes_are_what_the_page_says() -> None:
    """P(Y > y), with purchases of a living customer by the equations of a new one, and beta-prime totals."""
    p, q, v, z, amount = 6.2, 3.7, 15.4, 33.0, 120.0
    parameters = {"r": R, "alpha": ALPHA, "a": LEAVE, "b": STAY}
    model = BetaGeoModel.from_params(parameters, time_unit="week")
    spend = GammaGammaModel.from_params({"p": p, "q": q, "v": v}, time_unit="week")
    # As of somebody new who has the rates and the chances to leave of this customer.
    theirs = {"r": R + X, "alpha": ALPHA + T, "a": LEAVE, "b": STAY + X}
    counts = BetaGeoModel.from_params(theirs, time_unit="week").probability_of_n_purchases(
        n=np.arange(1, 120), t=H
    )
    above = betaprime.sf(amount / (v + X * z), p * np.arange(1, 120), p * X + q)
    alive = model.expected_probability_alive(HISTORY).item()
    outcomes = OutcomeModel(model, spend, horizon=H).predict(HISTORY.assign(monetary_value=z))
    assert outcomes.probability_above(amount).item() == pytest.approx(
        alive * float(counts @ above), rel=1e-3
    )


def test_intervals_are_what_the_page_says() -> None:
    q = 1.2815515655446004
    model = BetaGeoModel.from_params(
        {"r": R, "alpha": ALPHA, "a": LEAVE, "b": STAY}, time_unit="week"
    )
    covariance = np.diag([0.01, 0.02, 0.03, 0.04])

    def ask(one: BetaGeoModel) -> np.ndarray:
        return np.asarray(one.expected_probability_alive(HISTORY))

    found = linearise(model, ask, covariance=covariance)
    slope = []
    for at in range(4):
        step = np.zeros(4)
        step[at] = 1e-4
        ends = (
            ask(model.with_unconstrained(model.unconstrained() + side * step)) for side in (1, -1)
        )
        slope.append(np.subtract(*ends) / 2e-4)
    m, error = found.estimate.item(), math.sqrt(np.sum(np.diag(covariance) * np.ravel(slope) ** 2))
    odds = math.log(m / (1 - m))
    ends = [1 / (1 + math.exp(-(odds + side * q * error / (m * (1 - m))))) for side in (-1, 1)]
    assert np.ravel(found.interval(kind="probability")) == pytest.approx(ends, rel=1e-4)
    growth = math.exp(q * error / m)
    assert np.ravel(found.interval(kind="positive")) == pytest.approx(
        [m / growth, m * growth], rel=1e-4
    )
    both = found.times(found)
    assert both.standard_error.item() / m**2 == pytest.approx(math.sqrt(2) * error / m, rel=1e-4)

    value, low, high, doubt = (np.array([one]) for one in (100.0, 60.0, 150.0, 0.3))
    spread = q**2 * (0.3 / 3 - 0.3**2 / 4) * 100.0**2
    assert np.ravel(widen_interval(value, low, high, doubt)) == pytest.approx(
        [100 - math.sqrt(40.0**2 + spread), 100 + math.sqrt(50.0**2 + spread)]
    )


@pytest.mark.parametrize(
    ("model", "moved"),
    [(BetaGeoModel, {"a": 1, "b": 1}), (ParetoNBDModel, {"beta": -1})],
)
def test_covariates_move_the_parameters_as_the_page_says(model: Any, moved: dict[str, int]) -> None:
    names = model.parameter_names
    baseline = dict(zip(names, (R, ALPHA, LEAVE, STAY), strict=True))
    coefficients = {"purchase_coefficient_alpha_web": 0.4}
    coefficients |= {f"dropout_coefficient_{name}_web": 0.3 for name in moved}
    fitted = model.from_params(
        {**baseline, **coefficients},
        time_unit="week",
        purchase_covariates=["web"],
        dropout_covariates=["web"],
    )
    found = fitted.customer_parameters(HISTORY.assign(web=2.0)).iloc[0].to_dict()
    expected = {**baseline, "alpha": ALPHA * math.exp(-0.8)}
    expected |= {name: baseline[name] * math.exp(sign * 0.6) for name, sign in moved.items()}
    assert found == pytest.approx(expected)
