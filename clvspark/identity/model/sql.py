"""A trained model as one SQL query of DuckDB: Splink's own SQL, with each similarity computed once a pair.

Splink writes a similarity anew into every level of a comparison that asks for it, and DuckDB computes it as often.
Here repeated calls become columns, and a distance that only matters up to one edit is not computed where the ends of
both texts differ. The result is that of Splink's predict, bit for bit; so far the query is built from Splink's
internal generators, which is why Splink is pinned to one minor version.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from splink import SettingsCreator
from splink.internals.comparison_vector_values import (
    compute_comparison_vector_values_from_id_pairs_sqls,
)
from splink.internals.predict import predict_from_comparison_vectors_sqls_using_settings

# Similarities of two texts, with the value that they have for equal texts.
_SIMILARITIES = {
    "jaro_winkler_similarity": "1.0",
    "jaro_similarity": "1.0",
    "damerau_levenshtein": "0",
    "levenshtein": "0",
}
# One edit, or two letters exchanged, leaves the first or the last five of twelve letters as they are.
_ONE_EDIT = re.compile(r'damerau_levenshtein\("(\w+)_l", "\1_r"\) <= 1(?![.\d])')
_MAY_BE_ONE_EDIT = (
    r'(substr("\1_l", 1, 5) = substr("\1_r", 1, 5) OR substr("\1_l", -5) = substr("\1_r", -5)'
    r' OR least(length("\1_l"), length("\1_r")) < 12) AND '
)
_CALL = re.compile(rf'({"|".join(_SIMILARITIES)})\("(\w+)_l", "\2_r"\)')


def scoring_query(
    model: dict[str, Any], *, candidates: str, min_weight: float | None, with_bits: bool
) -> str:
    """Query of the scored pairs of the table `candidates` (match_key, join_key_l, join_key_r).

    In: table ``records`` with the columns of the model and its ``tf_`` columns; `model`: Splink's JSON. Out:
    columns as of `Linker.inference.predict`; with `with_bits` also those of each comparison (``mw_``, ``mw_tf_adj_``).
    """
    settings = SettingsCreator.from_path_or_dict(
        {
            **model,
            "retain_intermediate_calculation_columns": with_bits,
            # Candidates are made already.
            "blocking_rules_to_generate_predictions": [],
        }
    ).get_settings("duckdb")
    joined, vectors = compute_comparison_vector_values_from_id_pairs_sqls(
        settings._columns_to_select_for_blocking,  # noqa: SLF001 - see above
        settings._columns_to_select_for_comparison_vector_values,  # noqa: SLF001
        input_tablename_l="records",
        input_tablename_r="records",
        source_dataset_input_column=settings.column_info_settings.source_dataset_input_column,
        unique_id_input_column=settings.column_info_settings.unique_id_input_column,
    )
    predicted = predict_from_comparison_vectors_sqls_using_settings(
        settings, threshold_match_weight=min_weight
    )
    once, similarities = _compute_once(vectors["sql"])
    steps = [
        {**joined, "sql": joined["sql"].replace("__splink__blocked_id_pairs", candidates)},
        {
            "output_table_name": "with_similarities",
            "sql": f"SELECT *{similarities} FROM {joined['output_table_name']}",
        },
        {**vectors, "sql": once.replace(joined["output_table_name"], "with_similarities")},
        *predicted,
    ]
    *tables, last = steps
    body = ", ".join(f"{step['output_table_name']} AS ({step['sql']})" for step in tables)
    return f"WITH {body} {last['sql']}"


def _compute_once(sql: str) -> tuple[str, str]:
    """The SQL with repeated similarities named, and these as further columns of a select list."""
    repeated = [call for call, n in Counter(m[0] for m in _CALL.finditer(sql)).items() if n > 1]
    columns = []
    for number, call in enumerate(sorted(repeated)):
        function, column = _CALL.match(call).groups()  # type: ignore[union-attr]
        same = f'"{column}_l" = "{column}_r"'
        columns.append(
            f", CASE WHEN {same} THEN {_SIMILARITIES[function]} ELSE {call} END AS similarity_{number}"
        )
        sql = sql.replace(call, f"similarity_{number}")
    return _ONE_EDIT.sub(rf"({_MAY_BE_ONE_EDIT}\g<0>)", sql), "".join(columns)
