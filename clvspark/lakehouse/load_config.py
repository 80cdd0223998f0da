"""Configuration read: YAML in, frozen models out, all faults of a file reported at once."""

from __future__ import annotations

import difflib
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.partly_valid import contradictions
from clvspark.lakehouse.strict_model import (
    Location,
    StrictModel,
    is_tag,
    kind_tag,
    model_of_kind,
    models_in,
)
from clvspark.lakehouse.yaml_files import Placed, Unread, find_unread, read_as_far

Model = TypeVar("Model", bound=StrictModel)


def load_config(path: str | Path, model: type[Model]) -> Model:
    """Read a YAML file, with the files it `extends`, into `model`; ConfigError lists every fault."""
    path = Path(path)
    return parse_config(read_as_far(path), model, where=str(path))


def parse_config(data: Any, model: type[Model], *, where: str) -> Model:
    """Validate plain data as `model`; ConfigError lists every fault with key, allowed values, next step."""
    unread = [file.error for file in find_unread(data)]
    faults = [f"{error.where}, {fault}" for error in unread for fault in error.faults]
    try:
        read = model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        told = [
            (fault["loc"], _sentence(fault, model))
            for fault in found
            if not isinstance(fault["input"], Unread)
        ]
        also = contradictions(model, data, {_shown(fault["loc"]) for fault in found})
        told += [(at, _line(at, f"{sentence}.")) for at, sentence in also]
        faults += [_place(data, at, where) + sentence for at, sentence in told]
    else:
        if not faults:
            return read
    if len(unread) == 1 and len(faults) == len(unread[0].faults):
        raise unread[0]
    raise ConfigError(where, list(dict.fromkeys(faults)))


def _place(data: Any, at: Location, where: str) -> str:
    """File and line of the innermost key on the way to a fault; nothing where the file is `where` itself.

    There the way of keys suffices, while a file that is included does not know its place in the whole. Of the way only
    the keys of the data count: pydantic also names which type of several it tried.
    """
    place = None
    for part in at:
        if isinstance(data, Placed):
            place = data.places.get(str(part), data.start)
        with suppress(KeyError, IndexError, TypeError):
            data = data[part]
    if isinstance(data, Placed) and place is not None:
        place = max(place, data.start) if place[0] == data.start[0] else data.start
    return f"{place[0]}, line {place[1]}: " if place and str(place[0]) != where else ""


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
        # Where a value tells which of several models is meant, it stands in the location.
        meant = [
            m for m in models for f in m.model_fields.values() if part in get_args(f.annotation)
        ]
        models = found or meant or models
    return sorted({field.alias or name for m in models for name, field in m.model_fields.items()})
