"""Configuration files: every fault at once, references that stay in the tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import Field

from clvspark.config import Config, read_config, shipped_config
from clvspark.lakehouse import LakehouseConfig, StrictModel, load_config
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.fixed_conf import RESERVED
from clvspark.lakehouse.strict_model import as_known, check
from clvspark.lakehouse.yaml_files import merge, read_yaml


class Wheel(StrictModel):
    """A part."""

    size: int = Field(20, ge=10)
    kind: str


class Cart(StrictModel):
    """A whole."""

    wheels: list[Wheel]
    colour: str = "red"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path, model: type[StrictModel] = Cart) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load_config(path, model)
    assert str(raised.value).startswith(f"{path}: {len(raised.value.faults)} fault")
    return raised.value.faults


def test_all_faults_of_a_file_come_at_once(tmp_path: Path) -> None:
    text = "color: blue\nwheels:\n  - {size: 3, kind: wood}\n  - {sizes: 30}\n"
    found = faults(write(tmp_path, "cart.yaml", text))
    assert found == [
        "wheels.0.size: input should be greater than or equal to 10 (given: 3).",
        "wheels.1.kind: is required; add it.",
        "wheels.1.sizes: unknown key. Did you mean 'size'? Allowed: kind, size.",
        "color: unknown key. Did you mean 'colour'? Allowed: colour, wheels.",
    ]


def test_a_key_unlike_any_other_lists_what_is_allowed(tmp_path: Path) -> None:
    found = faults(write(tmp_path, "cart.yaml", "wheels: []\nzzz: 1\n"))
    assert found == ["zzz: unknown key. Allowed: colour, wheels."]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "must be a mapping"),
        ("wheels: [\n", "line 2, column 1: not valid YAML"),
        ("wheels: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    ],
    ids=["list", "broken", "code"],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in faults(write(tmp_path, "cart.yaml", text))[0]


def test_a_missing_file_says_how_to_name_one(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.yaml") == ["the file does not exist; pass --config FILE"]
    assert faults(tmp_path) == ["cannot be read: Is a directory"]
    including = write(tmp_path, "whole.yaml", "identity: !include exakt.yaml\n")
    with pytest.raises(
        ConfigError, match=r"exakt.yaml: 1 fault\n.*not exist; correct its name in whole.yaml"
    ):
        read_yaml(including)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cart.yaml"
    path.write_bytes(b"colour: caf\xe9\n")
    assert faults(path) == ["is not written in UTF-8; save it so"]


def test_a_file_extends_another_and_its_own_values_win(tmp_path: Path) -> None:
    write(tmp_path, "base.yaml", "a: {x: 1, y: 2}\nlist: [1, 2]\n")
    top = write(tmp_path, "top.yaml", "extends: base.yaml\na: {y: 3}\nlist: [9]\n")
    assert read_yaml(top) == {"a": {"x": 1, "y": 3}, "list": [9]}


def test_includes_stand_for_one_file_or_for_all_of_a_folder_by_name(tmp_path: Path) -> None:
    write(tmp_path, "parts/b.yaml", "kind: iron\n")
    write(tmp_path, "parts/a.yaml", "kind: wood\n")
    top = write(tmp_path, "cart.yaml", "wheels: !include parts/*.yaml\n")
    assert [wheel.kind for wheel in load_config(top, Cart).wheels] == ["wood", "iron"]
    one = write(tmp_path, "one.yaml", "wheels: [!include parts/a.yaml]\n")
    assert load_config(one, Cart).wheels[0].kind == "wood"


def test_a_model_knows_its_place_which_makes_no_other_model_of_it(tmp_path: Path) -> None:
    part = write(tmp_path, "parts/a.yaml", "# wood\nkind: wood\n")
    top = write(tmp_path, "cart.yaml", "wheels:\n  - !include parts/a.yaml\n  - kind: wood\n")
    included, written = load_config(top, Cart).wheels
    assert (included.place, written.place) == ((part, 2), (top, 3))
    assert included == written == Wheel(kind="wood")
    assert Wheel(kind="wood").place is None


def test_one_part_that_cannot_be_read_hides_no_disagreement_of_the_others(tmp_path: Path) -> None:
    def must_be_iron(wheel: Wheel) -> Iterator[str]:
        if wheel.kind != "iron":
            yield f"iron, not {wheel.kind}"

    class Axle(StrictModel):
        wheels: list[Wheel]

        @check
        def _of_iron(self) -> Iterator[str]:
            for wheel in self.wheels:
                yield from as_known(must_be_iron(wheel))

    found = faults(write(tmp_path, "axle.yaml", "wheels: [7, {size: 1, kind: wood}]\n"), Axle)
    assert len(found) == 3
    assert found[2] == "iron, not wood."


def test_an_include_that_matches_nothing_is_a_fault(tmp_path: Path) -> None:
    top = write(tmp_path, "cart.yaml", "wheels: !include parts/*.yaml\n")
    assert faults(top) == ["!include parts/*.yaml: no file matches"]


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "a/../../b.yaml", "file:b.yaml", "https://example.org/b.yaml"]
)
@pytest.mark.parametrize("key", ["extends: {}", "wheels: !include {}"])
def test_references_stay_in_the_tree(tmp_path: Path, key: str, name: str) -> None:
    top = write(tmp_path, "cart.yaml", key.format(name) + "\n")
    assert "name a file relative to this one" in faults(top)[0]


def test_merging_leaves_both_sides_as_they_were() -> None:
    base, over = {"a": {"x": 1}}, {"a": {"y": 2}}
    assert merge(base, over) == {"a": {"x": 1, "y": 2}}
    assert (base, over) == ({"a": {"x": 1}}, {"a": {"y": 2}})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either 'root' (path mode) or 'catalog'"),
        ({"root": "a", "catalog": "b"}, "either 'root' (path mode) or 'catalog'"),
        ({"root": "../a"}, "without '..'"),
        ({"root": "file:///a"}, "without '..' or 'file:'"),
        ({"catalog": "a; drop"}, "should match pattern"),
        ({"root": "a", "currency": "dollars"}, "should match pattern"),
    ],
)
def test_a_lakehouse_lies_in_one_plain_place(given: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is compared below
        LakehouseConfig.model_validate(given)
    assert message in str(raised.value)


@pytest.mark.parametrize("key", sorted(RESERVED))
def test_what_clvspark_depends_on_is_not_for_the_configuration(tmp_path: Path, key: str) -> None:
    conf = f"spark: {{conf: {{{key}: x, spark.sql.shuffle.partitions: '7'}}}}\n"
    (fault,) = faults(demo_with(tmp_path, conf), Config)
    assert fault.startswith(f"spark.conf: must not hold {key}: clvspark sets that itself")
    assert "Take it out" in fault


def test_sizes_are_for_the_configuration(tmp_path: Path) -> None:
    sizes = {
        "spark.sql.shuffle.partitions": "7",
        "spark.driver.memory": "9g",
        "spark.sql.adaptive.enabled": "true",
        "spark.databricks.delta.snapshotPartitions": "50",
    }
    lines = "".join(f"    {key}: '{value}'\n" for key, value in sizes.items())
    config = read_config(demo_with(tmp_path, f"spark:\n  conf:\n{lines}"))
    assert sizes.items() <= config.spark.conf.items()


def test_configuration_does_not_change_after_loading() -> None:
    config = LakehouseConfig(root="a")
    with pytest.raises(ValueError, match="frozen"):
        config.root = "b"


@pytest.mark.parametrize(
    "name",
    [
        "demo.yaml",
        "demo_loop.yaml",
        "demo_postgres.yaml",
        "local.yaml",
        "cluster.yaml",
        "examples/complete_journey.yaml",
    ],
)
def test_every_shipped_configuration_is_valid(name: str) -> None:
    assert read_config(shipped_config(name)).sources.systems


def demo_with(tmp_path: Path, text: str) -> Path:
    """The demo's configuration with a change, in a folder beside links to the shipped ones."""
    conf = shipped_config("demo.yaml").parent
    for entry in conf.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    return write(tmp_path, "changed.yaml", f"extends: demo.yaml\n{text}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "measurement: {costs_per_contact: {nobody: 1}}",
            "costs_per_contact names audiences that are not defined: nobody",
        ),
        (
            "lakehouse: {root: demo/landing/}",
            "lakehouse.root must not lie in sources.landing",
        ),
        ("activation: {exports: demo/landing/out}", "must not lie in sources.landing"),
        ("stream: {checkpoint: demo/landing/_stream}", "stream.checkpoint must not lie in"),
        ("activation: {exports: demo/lakehouse}", "must not lie in lakehouse.root"),
        ("audiences: {definitions: []}", "audiences that are not defined"),
    ],
)
def test_rooms_that_contradict_each_other_are_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        read_config(demo_with(tmp_path, text))
    assert message in str(raised.value)


def test_wrong_values_do_not_hide_where_others_disagree(tmp_path: Path) -> None:
    top = "{id: top, name: Top, include: {decile: {metric: clv, at_most: 2}}}"
    wrong = "{id: wrong, name: Wrong, include: {decile: {metric: luck}}}"
    ring = [
        f"{{id: {one}, name: Ring, include: {{audience: {{id: {other}}}}}}}"
        for one, other in ("ab", "ba")
    ]
    tool = "{id: tool, format: csv, channel: fax, identifier: email, hashed: true, audiences: [top, none]}"
    text = f"""
spark: {{driver_memory: a lot}}
history: {{summary_lags_days: [0, 91], default_margin_rate: 7}}
clv: {{holdout_days: 180, decline_days: never, models: [BetaGeoModel, BetaGeoModel]}}
audiences: {{definitions: [{top}, {top}, {wrong}, {", ".join(ring)}]}}
decisions: {{moments: [], offers: [], points: []}}
activation: {{exports: out, destinations: [{tool}, {tool}]}}
"""
    assert [
        re.split(" \\(given|, 'revenue", fault)[0]
        for fault in faults(demo_with(tmp_path, text), Config)
    ] == [
        r"spark.driver_memory: string should match pattern '^\d+[gm]$'",
        "history.default_margin_rate: input should be less than or equal to 1",
        "clv.decline_days: input should be a valid integer, unable to parse string as an integer",
        "audiences.definitions.2.include.leaf.decile.metric: input should be 'revenue_month_1'",
        "activation.destinations.0.channel: input should be 'email', 'push' or 'sms'",
        "activation.destinations.1.channel: input should be 'email', 'push' or 'sms'",
        "clv: 'models' names a model twice.",
        "audiences: audience top is defined more than once.",
        "audiences: audiences build on each other in a circle: a -> b -> a.",
        "activation: two destinations have the same id, tool.",
        (
            "activation.destinations.tool names audiences that are not defined: none. "
            "Allowed: audiences, <moment>.<step>, <decision point>.<offer>."
        ),
    ]


def test_a_summary_of_days_to_come_is_refused(tmp_path: Path) -> None:
    path = demo_with(tmp_path, "history: {summary_lags_days: [0, 91, 182, -1]}")
    fault = "history.summary_lags_days.3: input should be greater than or equal to 0 (given: -1)."
    assert faults(path, Config) == [fault]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "colour: red\nas_of: 2026-13-01\n",
            "line 2, column 8: not valid YAML (2026-13-01 is no date",
        ),
        ("as_of: 2026-02-30\n", "2026-02-30 is no date"),
        (
            "colour: red\ncolour: blue\n",
            "line 2, column 1: not valid YAML (the key 'colour' stands twice",
        ),
        ("wheels:\n  - {kind: a, kind: b}\n", "the key 'kind' stands twice"),
        ("? [x, y]\n: 1\n", "a key must be a plain word"),
        ("extends: cart.yaml\n", "it extends or includes itself"),
        ("wheels: !include cart.yaml\n", "it extends or includes itself"),
        ("extends: other.yaml\n", "it extends or includes itself"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    write(tmp_path, "other.yaml", "extends: cart.yaml\n")
    path = write(tmp_path, "cart.yaml", text)
    with pytest.raises(ConfigError) as raised:
        read_yaml(path)
    assert said in str(raised.value)


def test_words_and_codes_are_what_they_look_like(tmp_path: Path) -> None:
    text = "map: {yes: y, no: n, on: 1, true: t}\ncodes: [01067, 0x1F, 1_000, 12:30, -7, 0]\nis_on: true\n"
    assert read_yaml(write(tmp_path, "cart.yaml", text)) == {
        "map": {"yes": "y", "no": "n", "on": 1, True: "t"},
        "codes": ["01067", "0x1F", "1_000", "12:30", -7, 0],
        "is_on": True,
    }


def test_a_file_may_be_included_twice_and_merge_keys_be_used(tmp_path: Path) -> None:
    write(tmp_path, "wheel.yaml", "kind: a\n")
    text = (
        "a: !include wheel.yaml\nb: !include wheel.yaml\nbase: &base {x: 1}\nc: {<<: *base, y: 2}\n"
    )
    assert read_yaml(write(tmp_path, "cart.yaml", text)) == {
        "a": {"kind": "a"},
        "b": {"kind": "a"},
        "base": {"x": 1},
        "c": {"x": 1, "y": 2},
    }


def test_a_fault_in_an_included_file_names_its_file_and_line(tmp_path: Path) -> None:
    part = write(tmp_path, "parts/a.yaml", "# front\nkind: wood\nsize: 3\n")
    other = write(tmp_path, "parts/b.yaml", "size: 30\n")
    top = write(tmp_path, "cart.yaml", "wheels: !include parts/*.yaml\n")
    assert faults(top) == [
        f"{part}, line 3: wheels.0.size: input should be greater than or equal to 10 (given: 3).",
        f"{other}, line 1: wheels.1.kind: is required; add it.",
    ]
