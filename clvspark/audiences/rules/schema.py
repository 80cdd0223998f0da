"""The JSON Schema of an audience, from its types: editors complete and check YAML by it."""

from __future__ import annotations

from typing import Any

from clvspark.audiences.rules.definition import AudienceDefinition


def audience_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one audience file."""
    schema = AudienceDefinition.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An audience of clvspark",
        **{key: part for key, part in schema.items() if key != "title"},
    }
