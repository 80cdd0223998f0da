"""Configuration read: YAML in, frozen models out, all faults of a file reported at once."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.partly_valid import Location, contradictions
from clvspark.lakehouse.strict_model import StrictModel, is_tag, kind_tag, model_of_kind, models_in
from clvspark.lakehouse.yaml_files import read_yaml

Model = TypeVar("Model", bound=StrictModel)


def load_config(path: str | Path, model: type[Model]) -> Model:
    """Read a YAML file, with the files it `extends`, into `model`; ConfigError lists every fault."""
    path = Path(path)
    return parse_config(read_yaml(path), model, where=str(path))


def parse_config(data: Any, model: type[Model], *, where: str) -> Model:
    """Validate plain data as `model`; ConfigError lists every fault with key, allowed values, next step."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        faults = [_sentence(fault, model) for fault in found]
        also = contradictions(model, data, {_shown(fault["loc"]) for fault in found})
        faults += [_line(at, f"{sentence}.") for at, sentence in also]
        raise ConfigError(where, list(dict.fromkeys(faults))) from None


def _sentence(fault: ErrorDetails, model: type[StrictModel]) -> str:
    at = fault["loc"]
    if fault["type"] == "extra_forbidden":
        allowed = _allowed_keys(model, at[:-1])
        close = difflib.get_close_matches(str(at[-1]), allowed, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return _line(at, f"unknown key.{hint} Allowed: {', '.join(allowed) or 'none'}.")
    if fault["type"] == "missing":
        return _line(at, "is required; add it.")
    message = fault["msg"].removeprefix("Value error, ")
    given = fault.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return _line(at, f"{message[0].lower()}{message[1:]}{shown}.")


def _line(at: Location, sentence: str) -> str:
    return ": ".join(part for part in (".".join(map(str, _shown(at))), sentence) if part)


def _shown(at: Location) -> Location:
    """A location as the file has it."""
    return tuple(part for part in at if not is_tag(part))


def _allowed_keys(model: type[StrictModel], loc: Location) -> list[str]:
    """Keys allowed at `loc`, found by walking the annotations of nested models."""
    models: list[type[StrictModel]] = [model]
    for part in loc:
        if isinstance(part, int):
            continue
        if is_tag(part):
            models = [m for m in models if model_of_kind([m], str(part).removeprefix(kind_tag("")))]
            continue
        fields = [
            m.model_fields[str(part)].annotation for m in models if str(part) in m.model_fields
        ]
        found = [nested for annotation in fields for nested in models_in(annotation)]
        models = found or models
    return sorted({field.alias or name for m in models for name, field in m.model_fields.items()})
