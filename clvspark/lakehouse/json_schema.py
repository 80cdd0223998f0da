"""The JSON Schema of a YAML file, from its types: editors complete and check by it."""

from __future__ import annotations

from typing import Any

from clvspark.lakehouse.strict_model import StrictModel

_NULL = {"type": "null"}


def publish_schema(model: type[StrictModel], *, title: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of a file that is read as `model`."""
    schema = _tidy(model.model_json_schema(mode="validation"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}


def _tidy(part: Any) -> Any:
    """Without what pydantic adds for itself: titles, and null for what is simply not given."""
    if isinstance(part, list):
        return [_tidy(one) for one in part]
    if not isinstance(part, dict):
        return part
    options = [one for one in part.get("anyOf", []) if one != _NULL]
    if "anyOf" in part and len(options) < len(part["anyOf"]):
        rest = {key: value for key, value in part.items() if key not in {"anyOf", "default"}}
        part = {**options[0], **rest} if len(options) == 1 else {**rest, "anyOf": options}
    return {
        key: {name: _tidy(one) for name, one in value.items()}
        if key == "properties"
        else _tidy(value)
        for key, value in part.items()
        if not (key == "title" and isinstance(value, str))
    }
