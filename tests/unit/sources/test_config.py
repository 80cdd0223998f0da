"""Descriptions of landing files that cannot work are refused before anything is read."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.load_config import parse_config
from clvspark.sources.config import FieldRule, LandingFile, Output, SourcesConfig, SourceSystem

GOOD: dict[str, Any] = {
    "system": "shop",
    "files": [
        {
            "path": "shop/*.csv",
            "format": "csv",
            "outputs": [
                {"to": "product", "fields": {"product_id": "sku", "list_price": {"from": "price"}}}
            ],
        }
    ],
}


def refuse(data: object, model: type = SourceSystem) -> str:
    with pytest.raises(ConfigError) as raised:
        parse_config(data, model, where="shop.yaml")
    return str(raised.value)


def changed(**of_file: object) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(yaml.safe_dump(GOOD))
    data["files"][0] |= of_file
    return data


def test_the_short_form_names_a_landing_column() -> None:
    output = SourceSystem.model_validate(GOOD).files[0].outputs[0]
    assert output.fields["product_id"] == FieldRule.model_validate({"from": "sku"})
    assert output.columns == {"sku", "price"}


@pytest.mark.parametrize(
    "path", ["/abs/*.csv", "../up/*.csv", "a/../../b.csv", "s3://bucket/a.csv", "file:a"]
)
def test_paths_stay_below_the_landing_folder(path: str) -> None:
    assert "files.0.path: must be a path below the landing folder" in refuse(changed(path=path))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({"to": "products", "fields": {}}, "to: must be one of customer_record, event"),
        (
            {"to": "product", "fields": {"sku": "sku"}},
            "product has no column sku; it has product_id",
        ),
        (
            {"to": "event", "fields": {"event_id": "id"}},
            "event requires channel, event_type, occurred_at",
        ),
    ],
)
def test_targets_and_their_columns_are_checked(output: dict[str, object], message: str) -> None:
    assert message in refuse(output, Output)


@pytest.mark.parametrize("rule", [{}, {"from": "a", "value": 1}, {"join": ["a", "b"], "from": "a"}])
def test_a_field_has_exactly_one_origin(rule: dict[str, object]) -> None:
    assert "set exactly one of 'from', 'join', 'value'" in refuse(rule, FieldRule)


def test_unknown_formats_transforms_and_keys_are_named_together() -> None:
    data = changed(format="xml", delimeter=";")
    data["files"][0]["outputs"][0]["fields"]["list_price"] = {
        "from": "price",
        "transforms": ["eval"],
    }
    text = refuse(data)
    assert "3 faults" in text
    assert "'csv', 'jsonl', 'parquet' or 'delta'" in text
    assert "Did you mean 'delimiter'?" in text
    assert "'trim', 'lower', 'upper', 'digits' or 'sha256'" in text


def test_a_system_is_declared_once() -> None:
    text = refuse({"landing": "landing", "systems": [GOOD, GOOD]}, SourcesConfig)
    assert "system shop is declared more than once" in text


def test_columns_of_a_file_are_those_of_all_its_outputs() -> None:
    second = {
        "to": "customer_record",
        "fields": {"source_record_id": "buyer"},
        "attributes": ["age"],
    }
    file = LandingFile.model_validate(
        changed()["files"][0] | {"outputs": [*GOOD["files"][0]["outputs"], second]}
    )
    assert file.columns == ["age", "buyer", "price", "sku"]


EVENT_FIELDS: dict[str, Any] = {
    "event_id": "id",
    "event_type": {"value": "order"},
    "occurred_at": "at",
    "channel": {"value": "shop"},
}


@pytest.mark.parametrize(
    ("field", "rule", "message"),
    [
        (
            "event_type",
            {"value": "ordr"},
            "fields.event_type.value: 'ordr' is not allowed; allowed are order, refund, visit",
        ),
        (
            "event_type",
            {"from": "kind", "map": {"sale": "order", "back": "refunds"}},
            "fields.event_type.map.back: 'refunds' is not allowed; allowed are order, refund",
        ),
        (
            "event_type",
            {"from": "kind", "map": {"open": "open"}, "prefix": "email_"},
            "fields.event_type.map.open: 'email_open' is not allowed",
        ),
        ("quantity", {"value": "two"}, "fields.quantity.value: 'two' is not of type int"),
        (
            "occurred_at",
            {"value": "1 May"},
            "fields.occurred_at.value: '1 May' is not of type timestamp",
        ),
        (
            "channel",
            {"from": "channel", "number": {"decimal": ","}},
            "fields.channel.number: the column is string, not a number",
        ),
    ],
)
def test_a_constant_that_the_column_never_takes_is_refused_with_what_it_takes(
    field: str, rule: dict[str, object], message: str
) -> None:
    assert message in refuse({"to": "event", "fields": EVENT_FIELDS | {field: rule}}, Output)


def test_constants_that_fit_are_accepted() -> None:
    fitting = {
        "event_type": {"from": "kind", "map": {"o": "opened"}, "prefix": "email_"},
        "occurred_at": {"value": "2026-05-01"},
        "quantity": {"value": 1},
        "net_revenue": {"value": "0.00"},
    }
    fields = Output.model_validate({"to": "event", "fields": EVENT_FIELDS | fitting}).fields
    assert fields["quantity"].value == 1


def test_a_constant_takes_no_step() -> None:
    assert "'value' is taken as it is; remove" in refuse({"value": "1", "prefix": "a"}, FieldRule)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"timezone": "Europe/Berln"}, "is no time zone; did you mean 'Europe/Berlin'?"),
        ({"formats": ["YYYY-MM-DD HH:mm"]}, "Y means nothing; letters are"),
        ({"formats": ["yyyy-MM-ddd"]}, "too many d in a row"),
        ({"formats": ["yyyy-MM-dd'T"]}, "a quotation mark is not closed"),
        ({"formats": ["yyyy-MM-dd", "ww/Y", "nn"]}, "'nn': n means nothing"),
    ],
)
def test_zones_and_patterns_that_nobody_can_read_are_refused(
    rule: dict[str, object], message: str
) -> None:
    assert message in refuse({"from": "at", **rule}, FieldRule)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+01:00", "America/Argentina/Ushuaia"])
def test_zones_have_a_name_or_an_offset(zone: str) -> None:
    pattern = "EEE d.M.yyyy 'um' h:mm:ss.SSS a XXX"
    rule = FieldRule.model_validate({"from": "at", "timezone": zone, "formats": [pattern]})
    assert rule.timezone == zone


@pytest.mark.parametrize("delimiter", ["", "||"])
def test_a_delimiter_is_one_sign(delimiter: str) -> None:
    assert "files.0.delimiter: string should have at" in refuse(changed(delimiter=delimiter))


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ({"decimal": ",", "thousands": ","}, "'decimal' and 'thousands' are both ','"),
        ({"decimal": ";"}, "number.decimal: input should be '.' or ','"),
        ({"currency": ["USD", "-"]}, "'currency' has '-'; allowed are signs and codes without"),
    ],
)
def test_a_number_format_that_contradicts_itself_is_refused(
    number: dict[str, object], message: str
) -> None:
    assert message in refuse({"from": "amount", "number": number}, FieldRule)


def test_names_that_ingest_uses_itself_are_refused() -> None:
    fields = {"product_id": "sku", "name": "_file"}
    text = refuse(changed(outputs=[{"to": "product", "fields": fields}]))
    assert "reads columns named _file, which ingest keeps its own notes in" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields": {"net_revenue": "paid"}}, "map 'tax', and 'gross_revenue' or 'net_revenue'"),
        ({"fields": {"tax": "vat", "cost": "cost"}}, "needs the tax of each line"),
        (
            {"prices_include_tax": {"from": "mode", "map": {"gross": "yes", "net": "false"}}},
            "prices_include_tax: 'yes' is not allowed; allowed are 'true', 'false'",
        ),
    ],
)
def test_prices_with_tax_need_the_tax_of_each_line(changes: dict[str, Any], message: str) -> None:
    names = ("event_id", "event_type", "occurred_at", "channel")
    amounts = {"tax": "vat", "net_revenue": "paid"}
    output: dict[str, Any] = {"to": "event", "prices_include_tax": True, **changes}
    output["fields"] = {**dict.fromkeys(names, "a"), **changes.get("fields", amounts)}
    assert message in refuse(output, Output)


def test_prices_of_events_alone_include_tax_and_a_column_may_say_so() -> None:
    product = {"to": "product", "fields": {"product_id": "sku"}, "prices_include_tax": True}
    assert "'prices_include_tax' is for prices of events" in refuse(product, Output)
    names = ("event_id", "event_type", "occurred_at", "channel", "tax", "net_revenue")
    event = {"to": "event", "fields": dict.fromkeys(names, "a"), "prices_include_tax": "taxed"}
    assert Output.model_validate(event).columns == {"a", "taxed"}
