"""Training in DuckDB: every attribute is compared, levels that nobody shows do no harm, the report tells."""

from __future__ import annotations

import random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from splink import DuckDBAPI, Linker

from clvspark.identity import IdentityModel, IdentitySettings
from clvspark.identity.cleaning.standardise import standardise_batch
from clvspark.identity.model.estimate import LEAST_M, LEAST_U
from clvspark.identity.model.train import refuse_other_columns, train_model
from clvspark.identity.model.training_report import (
    TrainingReport,
    describe_session,
    unlinkable_shares,
)
from clvspark.lakehouse.errors import TrainingError

BASE: dict[str, Any] = {
    "attributes": [
        {"column": "given_name", "kind": "given_name"},
        {"column": "surname", "kind": "surname"},
        {"column": "born", "kind": "birth_date"},
        {"column": "town", "kind": "text"},
        {"column": "job", "kind": "text"},
    ],
    "blocking_rules": [["surname", "born"]],
    "training": {
        "u_max_pairs": 20000,
        "deterministic_rules": [["given_name", "surname", "born"]],
        "em_rules": [["surname", "given_name"], ["born"]],
    },
}
NAMES = ["ann", "bob", "carol", "david", "elena", "frank", "grace", "henry", "irene", "karen"]
SURNAMES = ["smith", "jones", "taylor", "brown", "wilson", "evans", "thomas", "roberts", "walker"]
WORDS = ["baker", "smithy", "clerk", "farmer", "judge", "miner", "nurse", "pilot"]


def sample(settings: IdentitySettings, persons: int = 300) -> pa.Table:
    """Two records a person, a fifth of the given names mistyped."""
    chance, rows = random.Random(3), []
    for person in range(persons):
        whole = [
            chance.choice(NAMES),
            chance.choice(SURNAMES),
            f"{chance.randrange(1950, 2000)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
            f"{chance.choice(WORDS)}ville",
            chance.choice(WORDS),
        ]
        for copy in "ab":
            given = whole[0] + "x" if copy == "b" and chance.random() < 0.2 else whole[0]
            rows.append([f"{copy}:{person}", given, *whole[1:]])
    columns = ["unique_id", "given_name", "surname", "born", "town", "job"]
    arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, columns)
    return pa.Table.from_batches([standardise_batch(batch, settings)])


@pytest.fixture(scope="module")
def settings() -> IdentitySettings:
    return IdentitySettings.model_validate(BASE)


@pytest.fixture(scope="module")
def model(settings: IdentitySettings) -> IdentityModel:
    return train_model(sample(settings), settings)


def test_two_attributes_of_one_kind_are_two_comparisons(model: IdentityModel) -> None:
    names = [comparison["output_column_name"] for comparison in model.settings["comparisons"]]
    assert names == ["given_name", "surname", "born", "town", "job"]


def test_every_level_of_the_file_has_its_probabilities(model: IdentityModel) -> None:
    levels = [
        level
        for comparison in model.settings["comparisons"]
        for level in comparison["comparison_levels"]
        if not level.get("is_null_level")
    ]
    # No record of the sample has another birth date than its copy: EM alone would end at 1e-60.
    assert all(LEAST_M <= level["m_probability"] <= 1 for level in levels)
    assert all(LEAST_U <= level["u_probability"] <= 1 for level in levels)
    assert not any("fix_m_probability" in level for level in levels)


def test_a_level_that_no_pair_showed_says_so(model: IdentityModel) -> None:
    assert model.report is not None
    # No name of these people is another's surname.
    swapped = [level for level in model.report.levels if "swapped" in level.label]
    assert swapped
    assert not any(level.seen for level in swapped)
    assert all(level.weight == pytest.approx(0.0) for level in swapped)
    exact = next(
        level for level in model.report.levels if level.label.startswith("Exact match on given")
    )
    assert exact.seen
    assert exact.weight > 2


def test_the_report_tells_prior_convergence_and_unlinkables(model: IdentityModel) -> None:
    report = model.report
    assert report is not None
    assert report.records == 600
    assert report.prior == model.settings["probability_two_random_records_match"]
    assert [session.rule for session in report.sessions] == ["surname, given_name", "born"]
    assert report.sessions[0].comparisons == ["born", "town", "job"]
    assert all(session.iterations >= 1 for session in report.sessions)
    shares = [share for _, share in report.unlinkables]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    assert TrainingReport.from_dict(report.to_dict()) == report
    assert report.metrics["em_runs"] == 2


def test_the_report_holds_no_value_of_a_record(model: IdentityModel) -> None:
    assert model.report is not None
    text = str(model.report.to_dict()).lower() + str(model.settings).lower()
    for word in (*NAMES, *SURNAMES, *WORDS):
        assert f"'{word}'" not in text
        assert f'"{word}"' not in text


def test_splink_loads_the_saved_model(
    model: IdentityModel, settings: IdentitySettings, tmp_path: Any
) -> None:
    path = tmp_path / "model.json"
    model.save(path)
    with duckdb.connect(":memory:") as connection:
        api = DuckDBAPI(connection=connection)
        records = api.register(sample(settings, 5), dataset_display_name="some")
        loaded = Linker(records, settings=str(path)).misc.save_model_to_json(None, overwrite=True)
    prior = "probability_two_random_records_match"
    assert loaded[prior] == model.settings[prior]
    for ours, theirs in zip(model.settings["comparisons"], loaded["comparisons"], strict=True):
        for level, read in zip(ours["comparison_levels"], theirs["comparison_levels"], strict=True):
            assert read.get("m_probability") == level.get("m_probability")
            assert read.get("u_probability") == level.get("u_probability")


def test_a_comparison_that_every_rule_blocks_on_is_named() -> None:
    training = BASE["training"] | {"em_rules": [["surname", "town"], ["surname", "born"]]}
    blind = IdentitySettings.model_validate(BASE | {"training": training})
    with pytest.raises(TrainingError, match=r"than given_name, surname\.$"):
        train_model(sample(blind), blind)


def test_an_em_run_is_described_by_its_history() -> None:
    history = [
        {
            "comparison_name": "name",
            "comparison_vector_value": 1,
            "iteration": i,
            "m_probability": m,
        }
        for i, m in enumerate((0.9, 0.8, 0.79))
    ]
    session = describe_session("town", history, 0.001)
    assert (session.iterations, session.comparisons, session.converged) == (2, ["name"], False)
    assert session.last_change == pytest.approx(0.01)
    assert describe_session("town", history, 0.1).converged


def test_records_below_a_threshold_with_themselves_are_counted() -> None:
    curve = [{"match_weight": 1.0, "cum_prop": 0.1}, {"match_weight": 5.5, "cum_prop": 0.4}]
    shares = dict(unlinkable_shares(curve))
    assert (shares[0.0], shares[2.0], shares[4.0], shares[6.0]) == (0.0, 0.1, 0.1, 0.4)


def test_a_level_that_only_pairs_of_two_persons_show_does_not_end_the_training() -> None:
    settings = IdentitySettings.model_validate(BASE)
    rows = sample(settings).to_pylist()
    # Of every second person there is another one, born the same day, with given name and surname exchanged.
    others = [
        {"unique_id": f"c:{n}", "given_name": row["surname"], "surname": row["given_name"], "born": row["born"],
         "town": "elsewhere", "job": f"other {n}"}
        for n, row in enumerate(rows[::4])
    ]  # fmt: skip
    columns = list(others[0])
    arrays = [pa.array([r[c] for r in [*rows, *others]], pa.string()) for c in columns]
    batch = pa.RecordBatch.from_arrays(arrays, columns)
    trained = train_model(pa.Table.from_batches([standardise_batch(batch, settings)]), settings)
    assert trained.report is not None
    swapped = [level for level in trained.report.levels if "swapped" in level.label]
    assert all(level.m <= 1e-3 for level in swapped)


def test_too_few_records_are_told_with_what_a_small_shop_can_do() -> None:
    settings = IdentitySettings.model_validate(BASE)
    with pytest.raises(TrainingError, match=r"2 records may hold too few.*identity_exact.yaml"):
        train_model(sample(settings, persons=1), settings)


def test_a_value_that_most_records_share_is_no_block_to_learn_from() -> None:
    """One town would make all pairs; the rule is left out, and the others train the comparisons."""
    rules = {"em_rules": [["surname", "given_name"], ["born"], ["town"]]}
    document = BASE | {"max_block_records": 100, "training": BASE["training"] | rules}
    settings = IdentitySettings.model_validate(document)
    records = sample(settings)
    one_town = pa.array(["leeds"] * len(records), pa.string())
    records = records.set_column(records.column_names.index("town"), "town", one_town)
    trained = train_model(records, settings)
    assert trained.report is not None
    assert [session.rule for session in trained.report.sessions] == ["surname, given_name", "born"]


def test_columns_without_a_value_are_named() -> None:
    settings = IdentitySettings.model_validate(BASE)
    records = sample(settings)
    nothing = pa.nulls(len(records), pa.string())
    records = records.set_column(records.column_names.index("job"), "job", nothing)
    with pytest.raises(TrainingError, match=r"No record has a value of job .*Next step: take it"):
        train_model(records, settings)


def test_nothing_can_be_learnt_from_less_than_two_records(settings: IdentitySettings) -> None:
    with pytest.raises(TrainingError, match="0 records, and a pair takes two"):
        train_model(sample(settings)[:0], settings)


def test_a_model_that_does_not_know_what_the_settings_compare_is_refused(
    model: IdentityModel,
) -> None:
    more = [*BASE["attributes"], {"column": "card", "kind": "identifier"}]
    with pytest.raises(TrainingError, match="compare card, of which the model knows nothing"):
        refuse_other_columns(model, IdentitySettings.model_validate(BASE | {"attributes": more}))
