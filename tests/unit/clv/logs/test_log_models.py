"""Models fitted to logs: the published estimates, from transactions alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clvspark.clv.logs import (
    LogColumns,
    SplitLog,
    compare_models,
    fit,
    fit_log,
    open_log,
    split_log,
)
from clvspark.clv.logs.fit import expected_residual, wald_intervals
from clvspark.lakehouse.errors import ConfigError

Writer = Callable[..., Path]


@pytest.fixture(scope="module")
def cdnow_split(
    cdnow_log: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SplitLog]:
    file = tmp_path_factory.mktemp("log") / "cdnow.csv"
    cdnow_log.to_csv(file, index=False)
    with open_log(file, LogColumns("customer_id", "day", "spend")) as log:
        yield split_log(log, time_unit="week", calibration_end=date(1997, 9, 30))


@pytest.mark.parametrize("name", ["bg_nbd", "mbg_nbd", "pareto_nbd", "gamma_gamma"])
def test_the_log_gives_what_its_summary_gives(
    name: str, cdnow_split: SplitLog, request: pytest.FixtureRequest
) -> None:
    """The models of the fixtures, summarised by pandas, are held to the published estimates."""
    fixture = {"bg_nbd": "beta_geo", "mbg_nbd": "modified_beta_geo"}.get(name, name)
    expected = request.getfixturevalue(fixture)
    found = fit_log(cdnow_split, name)
    assert found.model is not None
    assert found.model.params_ == pytest.approx(expected.params_, rel=1e-5)
    assert found.model.log_likelihood_ == pytest.approx(expected.log_likelihood_, abs=1e-6)
    assert found.customers == expected.n_customers_


def test_the_holdout_of_cdnow(cdnow_split: SplitLog) -> None:
    found = fit_log(cdnow_split, "pareto_nbd").holdout
    assert found is not None
    told = found.to_dict()
    assert told["customers"] == 2357
    assert told["actual_purchases"] == 1882
    assert told["predicted_purchases"] == pytest.approx(1665.5, abs=0.05)
    assert told["mae"] == pytest.approx(0.75452, abs=6e-6)
    assert told["top_decile_share"] == pytest.approx(885 / 1882)
    assert [one["decile"] for one in told["decile_table"]] == list(range(1, 11))
    assert sum(one["customers"] for one in told["decile_table"]) == 2357


def test_regularity_one_is_bg_nbd(cdnow_split: SplitLog) -> None:
    plain, regular = (fit_log(cdnow_split, name) for name in ("mbg_nbd", "mbg_cnbd_1"))
    assert plain.model is not None
    assert regular.model is not None
    assert regular.model.params_ == pytest.approx(plain.model.params_, rel=1e-6)


def test_spend_is_judged_on_those_who_came_back(cdnow_split: SplitLog, cdnow: pd.DataFrame) -> None:
    found = fit_log(cdnow_split, "gamma_gamma").holdout
    assert found is not None
    told = found.to_dict()
    assert told["customers"] == (cdnow["holdout"] > 0).sum()
    assert {"predicted_spend", "actual_spend"} <= set(told)
    assert abs(told["bias"]) < 0.1


def test_intervals_surround_the_estimates(cdnow_split: SplitLog) -> None:
    """On the logarithm: the bounds are as far in ratio, and two standard errors apart to first order."""
    model = fit_log(cdnow_split, "bg_nbd").model
    assert model is not None
    for name, (low, high) in wald_intervals(model).items():
        value, error = model.params_[name], model.standard_errors_[name]
        assert low * high == pytest.approx(value**2)
        assert math.log(high / low) == pytest.approx(2 * 1.96 * error / value, rel=1e-4)


def test_what_is_still_to_come_is_the_sum_over_customers(
    cdnow_split: SplitLog, cdnow: pd.DataFrame
) -> None:
    pareto = fit_log(cdnow_split, "pareto_nbd")
    assert pareto.model is not None
    found = expected_residual(pareto, 0.1)
    each = pareto.model.discounted_expected_residual_transactions(cdnow, annual_discount_rate=0.1)  # type: ignore[attr-defined]
    assert found["total"] == pytest.approx(each.sum(), rel=1e-9)
    assert found["per_customer"] == pytest.approx(each.mean(), rel=1e-9)
    with pytest.raises(ConfigError, match="leave the discount rate out"):
        expected_residual(fit_log(cdnow_split, "gamma_gamma"), 0.1)


def test_donations_from_the_days_of_the_gifts(write_log: Writer) -> None:
    """Each donor first gives in 1995, then as the published counts of 1996 to 2001 say."""
    path = distribution("Lifetimes").locate_file("lifetimes/datasets/donations.csv")
    lines, donor = [], 0
    for x, t_x, _, weight in pd.read_csv(str(path)).itertuples(index=False):
        years = [0, *range(1, x), t_x][: x + 1] if x else [0]
        for _ in range(weight):
            donor += 1
            lines += [f"{donor},{1995 + year}-06-15" for year in years]
    file = write_log("who,when\n" + "\n".join(lines))
    with open_log(file, LogColumns("who", "when")) as log:
        found = fit_log(split_log(log, time_unit="year"), "bg_bb")
    published = {"alpha": 1.20352, "beta": 0.74972, "gamma": 0.65672, "delta": 2.78344}
    assert found.model is not None
    assert found.customers == 11_104
    assert found.model.params_ == pytest.approx(published, rel=1e-5)
    assert found.model.log_likelihood_ == pytest.approx(-33225.581, abs=5e-4)
    assert "the last year is seen up to 2001-06-15 only" in found.notes[0]


HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]


def test_renewals_from_the_days_of_payment(write_log: Writer) -> None:
    paid = np.array(HIGH_END)
    lines = [f"{who},{2000 + year}-03-01" for year, left in enumerate(paid) for who in range(left)]
    file = write_log("who,when\n" + "\n".join(lines))
    with open_log(file, LogColumns("who", "when")) as log:
        whole = fit_log(split_log(log, time_unit="year"), "sbg")
        early = split_log(log, time_unit="year", calibration_end=date(2004, 12, 31))
        judged = fit_log(early, "sbg")
    assert whole.model is not None
    assert whole.model.params_ == pytest.approx({"alpha": 0.66809, "beta": 3.80610}, abs=6e-6)
    assert whole.model.log_likelihood_ == pytest.approx(-1611.158, abs=5e-4)
    assert judged.notes == []
    assert judged.holdout is not None
    told = judged.holdout.to_dict()
    assert told["actual_purchases"] == 551 + 517 + 491
    assert judged.model is not None
    survival = judged.model.expected_survival(t=[4, 5, 6, 7])  # type: ignore[attr-defined]
    assert told["predicted_purchases"] == pytest.approx(593 * survival[1:].sum() / survival[0])


def test_a_model_that_cannot_be_fitted_says_why(write_log: Writer) -> None:
    text = "who,when\nann,2024-01-01\nbob,2024-01-02\ncat,2024-01-04\n"
    with open_log(write_log(text), LogColumns("who", "when")) as log:
        split = split_log(log, time_unit="year", calibration_end=date(2024, 1, 3))
        nobody_back, one_year = fit_log(split, "bg_nbd"), fit_log(split, "bg_bb")
        with pytest.raises(ConfigError, match="--value-column"):
            fit_log(split, "gamma_gamma")
    assert nobody_back.to_dict() | {"reason": None} == {
        "model": "bg_nbd",
        "params": {},
        "standard_errors": {},
        "log_likelihood": None,
        "customers": 2,
        "converged": False,
        "holdout": None,
        "reason": None,
    }
    assert nobody_back.reason is not None
    assert "0 for every customer" in nobody_back.reason
    assert one_year.reason is not None
    assert "lies within one year" in one_year.reason


def test_more_opportunities_than_memory_holds_are_refused(
    write_log: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "_MAX_CELLS", 50)
    text = "who,when\nann,2024-01-01\nann,2024-03-01\nbob,2024-01-02\nbob,2024-01-03\n"
    with open_log(write_log(text), LogColumns("who", "when")) as log:
        found = fit_log(split_log(log, time_unit="day"), "bg_bb")
    assert found.model is None
    assert found.reason is not None
    assert "120 opportunities" in found.reason
    assert "longer time unit than a day" in found.reason


def test_models_are_compared_beside_baselines(cdnow_split: SplitLog, cdnow: pd.DataFrame) -> None:
    found = compare_models(cdnow_split, ["bg_nbd", "pareto_nbd", "sbg"])
    assert [one.name for one in found] == [
        "bg_nbd", "pareto_nbd", "sbg", "last_period", "average_rate",
    ]  # fmt: skip
    by_name = {one.name: one.to_dict() for one in found}
    likelihood, bic = (by_name["bg_nbd"][name] for name in ("log_likelihood", "bic"))
    assert bic == pytest.approx(4 * math.log(2357) - 2 * likelihood)
    average = by_name["average_rate"]
    assert average["log_likelihood"] is None
    rate = cdnow["frequency"] / cdnow["T"] * 39
    assert average["holdout"]["predicted_purchases"] == pytest.approx(rate.sum())
    # The holdout is as long as the calibration: all repeat purchases are of the last period.
    last = by_name["last_period"]["holdout"]
    assert last["predicted_purchases"] == pytest.approx(cdnow["frequency"].sum())


def test_all_models_that_apply_are_compared(cdnow_split: SplitLog) -> None:
    found = [one.name for one in compare_models(cdnow_split)]
    assert found[0] == "bg_nbd"
    assert {"mbg_cnbd_2", "pareto_nbd", "bg_bb", "gamma_gamma", "last_period"} <= set(found)
    assert "sbg" not in found
