"""``clvspark clv``: what is printed, and how faults end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clvspark import cli
from clvspark.lakehouse import errors

Writer = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, standard output and standard error of ``clvspark clv ...``."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["clvspark", "clv", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        shown = capsys.readouterr()
        return int(stopped.value.code or 0), shown.out, " ".join(shown.err.split())

    return call


@pytest.fixture
def cdnow_options(cdnow_log: pd.DataFrame, tmp_path: Path) -> list[object]:
    file = tmp_path / "cdnow.csv"
    cdnow_log.to_csv(file, index=False)
    names = ["--customer-column", "customer_id", "--date-column", "day", "--value-column", "spend"]
    return ["--transactions", file, *names, "--calibration-end", "1997-09-30"]


KEYS = ["model", "params", "standard_errors", "log_likelihood", "customers", "converged", "holdout"]
HOLDOUT_KEYS = [
    "customers", "predicted_purchases", "actual_purchases", "bias", "mae", "rmse", "rmsle",
    "normalised_gini", "decile_mape", "top_decile_share", "decile_table",
]  # fmt: skip


def test_cdnow_end_to_end(run: Run, cdnow_options: list[object]) -> None:
    code, out, _ = run("fit", *cdnow_options, "--model", "pareto_nbd", "--json")
    told: dict[str, Any] = json.loads(out)
    assert code == 0
    assert list(told) == KEYS
    assert told["model"] == "pareto_nbd"
    published = {"r": 0.553277, "alpha": 10.577684, "s": 0.606240, "beta": 11.668728}
    assert told["params"] == pytest.approx(published, rel=1e-5)
    assert told["log_likelihood"] == pytest.approx(-9594.9762, abs=1e-4)
    assert told["customers"] == 2357
    assert told["converged"] is True
    assert list(told["holdout"]) == HOLDOUT_KEYS
    assert told["holdout"]["predicted_purchases"] == pytest.approx(1665.5, abs=0.05)


def test_parameters_are_shown_with_their_intervals(run: Run, cdnow_options: list[object]) -> None:
    options = [*cdnow_options, "--model", "bg_nbd", "--annual-discount-rate", 0.1]
    code, out, _ = run("fit", *options)
    assert code == 0
    for text in ("0.2426", "0.0126", "-9,582.43", "95 % from", "still to come", "top_decile_share"):
        assert text in out


def test_spend_is_told_with_its_correlation_to_frequency(
    run: Run, cdnow_options: list[object], cdnow: pd.DataFrame
) -> None:
    """What the model assumes to be 0 is told whether or not it is."""
    code, out, _ = run("fit", *cdnow_options, "--model", "gamma_gamma", "--json")
    told = json.loads(out)
    assert code == 0
    assert list(told) == [*KEYS, "spend_frequency_correlation"]
    repeaters = cdnow[cdnow["frequency"] > 0]
    expected = repeaters["frequency"].corr(repeaters["monetary_value"])
    assert told["spend_frequency_correlation"] == pytest.approx(expected, abs=1e-6)
    code, out, _ = run("fit", *cdnow_options, "--model", "gamma_gamma")
    assert code == 0
    assert "correlation of spend and frequency" in out
    assert f"{expected:.4f}" in out


def test_a_log_without_a_holdout(run: Run, cdnow_options: list[object]) -> None:
    at = cdnow_options.index("--calibration-end")
    code, out, _ = run("fit", *cdnow_options[:at], "--model", "mbg_nbd", "--json")
    assert code == 0
    assert json.loads(out)["holdout"] is None


def test_comparison(run: Run, cdnow_options: list[object]) -> None:
    code, out, _ = run("compare", *cdnow_options, "--models", "bg_nbd,sbg,gamma_gamma", "--json")
    told = json.loads(out)
    assert code == 0
    names = [one["model"] for one in told["models"]]
    assert names == ["bg_nbd", "sbg", "gamma_gamma", "last_period", "average_rate"]
    assert told["customers"] == 2357
    assert told["holdout_end"] == "1998-06-30"
    code, out, _ = run("compare", *cdnow_options, "--models", "bg_nbd, mbg_nbd")
    assert code == 0
    for text in ("mbg_nbd", "-9,582.14", "average_rate", "0.6636"):
        assert text in out


SMALL = "who,when,amount\nann,2024-01-01,1\nbob,2024-01-02,2\n"
SMALL_OPTIONS = ["--customer-column", "who", "--date-column", "when"]


def test_a_fit_that_does_not_converge(run: Run, write_log: Writer) -> None:
    """One JSON object on standard output, the message on standard error, the exit code of a fit that failed."""
    options = ["--transactions", write_log(SMALL), *SMALL_OPTIONS, "--model", "bg_nbd"]
    code, out, err = run("fit", *options, "--json")
    told = json.loads(out)
    assert code == errors.TrainingError.exit_code
    assert list(told) == [*KEYS, "reason"]
    assert told["converged"] is False
    assert told["reason"] in err
    code, out, err = run("fit", *options)
    assert (code, out) == (errors.TrainingError.exit_code, "")
    assert "bg_nbd could not be fitted" in err


def test_spend_of_unknown_mean_is_no_fit(run: Run, tmp_path: Path) -> None:
    """Where q may be 1, a mean of forty times the truth fits as well; nobody must read it as a value."""
    rng = np.random.default_rng(4)
    customer = np.repeat(np.arange(1500), 4)
    amount = rng.gamma(6.0, 1 / np.repeat(rng.gamma(1.0, 1 / 15.0, 1500), 4))
    days = pd.to_datetime("2024-01-01") + pd.to_timedelta(np.tile([0, 7, 14, 21], 1500), "D")
    file = tmp_path / "tail.csv"
    pd.DataFrame({"who": customer, "when": days, "amount": amount.round(2)}).to_csv(
        file, index=False
    )
    options = ["--transactions", file, *SMALL_OPTIONS, "--value-column", "amount"]
    code, out, err = run("fit", *options, "--model", "gamma_gamma", "--json")
    told = json.loads(out)
    assert code == errors.TrainingError.exit_code
    assert (told["converged"], told["params"], told["holdout"]) == (False, {}, None)
    assert "q <= 1 is not ruled out" in told["reason"]
    assert told["reason"] in err
    code, out, err = run("compare", *options, "--models", "gamma_gamma", "--json")
    assert code == errors.TrainingError.exit_code
    assert "None of 1 models could be fitted" in err
    assert "q <= 1 is not ruled out" in json.loads(out)["models"][0]["reason"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--model", "bgnbd"], 2, "Did you mean 'bg_nbd'?"),
        (["--model", "gamma_gamma"], 2, "--value-column"),
        (["--model", "bg_nbd", "--value-column", "amout"], 2, "Did you mean 'amount'?"),
        (["--model", "bg_nbd", "--calibration-end", "2023-01-01"], 2, "lies outside the log"),
        (["--model", "bg_nbd", "--calibration-end", "2124-01-01"], 2, "lies outside the log"),
        (["--model", "bg_nbd", "--date-format", "%d.%m.%Y"], 4, "2 of 2 rows hold no date"),
        (["--model", "bg_nbd", "--date-format", "%d.%m.%Y"], 4, "say how it is written"),
        (["--model", "bg_nbd", "--date-format", "%Q"], 2, "'%Q' is no format of strptime"),
    ],
)
def test_faults_are_one_message(
    run: Run, write_log: Writer, options: list[str], code: int, message: str
) -> None:
    given = ["--transactions", write_log(SMALL), *SMALL_OPTIONS, *options]
    found, out, err = run("fit", *given, "--json")
    assert (found, out) == (code, "")
    assert message in err


@pytest.mark.parametrize(
    ("rate", "hint"),
    [("0", ""), ("-0.1", ""), ("nan", ""), ("inf", ""), ("15", "did you mean 0.15?"), ("15%", "")],
)
def test_an_impossible_discount_rate_is_wrong_usage(
    run: Run, write_log: Writer, rate: str, hint: str
) -> None:
    given = ["--transactions", write_log(SMALL), *SMALL_OPTIONS, "--model", "bg_nbd"]
    code, out, err = run("fit", *given, f"--annual-discount-rate={rate}")
    assert (code, out) == (2, "")
    assert "--annual-discount-rate" in err
    if rate != "15%":  # which Typer refuses: no number
        assert "above 0 and below 10" in err
    assert hint in err


def test_a_log_that_is_not_there(run: Run, tmp_path: Path) -> None:
    options = ["--transactions", tmp_path / "none.csv", *SMALL_OPTIONS]
    code, _, err = run("compare", *options)
    assert code == errors.MissingInputError.exit_code
    assert "does not exist" in err


def test_left_out_rows_are_told(run: Run, write_log: Writer) -> None:
    file = write_log(SMALL + "cat,never,3\n")
    options = ["--transactions", file, *SMALL_OPTIONS, "--models", "bg_nbd", "--skip-faulty-rows"]
    code, _, err = run("compare", *options)
    assert code == errors.TrainingError.exit_code, "two customers are too few"
    assert "1 of 3 rows are faulty and were left out" in err
    assert "bg_nbd could not be fitted: summary.frequency: 0 for every customer" in err
