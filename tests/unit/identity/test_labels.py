"""Labels of comparison levels, as charts and waterfalls show them."""

from __future__ import annotations

from clvspark.config import shipped_config
from clvspark.identity.model.comparisons import splink_settings
from clvspark.identity.settings import IdentitySettings

ROOM = 60  # characters that the label's place in a chart holds


def test_every_level_has_a_label_of_its_own_that_fits() -> None:
    settings = IdentitySettings.from_yaml(shipped_config("identity.yaml"))
    model = splink_settings(settings).create_settings_dict(sql_dialect_str="spark")
    labels = [
        f"{comparison['output_column_name']}: {level['label_for_charts']}"
        for comparison in model["comparisons"]
        for level in comparison["comparison_levels"]
        if not level.get("is_null_level")
    ]
    assert len(set(labels)) == len(labels) > 20
    assert len({label[:ROOM] for label in labels}) == len(labels), "distinct where they are cut off"
    assert max(map(len, labels)) <= ROOM
    assert not [label for label in labels if " AND " in label or "(" in label]
