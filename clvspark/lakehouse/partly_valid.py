"""What can be said of a configuration of which some values are wrong: where the other values disagree."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError

from clvspark.lakehouse.strict_model import (
    Location,
    StrictModel,
    Unknown,
    disagreements,
    model_of_kind,
    models_in,
)


class Partly:
    """The valid values of a model, for its checks; asking for another one raises `Unknown`."""

    def __init__(self, model: type[StrictModel], values: Mapping[str, Any]) -> None:
        self._model = model
        self._values = values

    @property  # type: ignore[misc]
    def __class__(self) -> type[StrictModel]:  # type: ignore[override]
        """The model, so that checks which tell models apart know it."""
        return self._model

    def __getattr__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        found = inspect.getattr_static(self._model, name, None)
        if name in self._model.model_fields or found is None:
            raise Unknown(name)
        return found.__get__(self, self._model)


_NOTHING_KNOWN = Partly(StrictModel, {})


def contradictions(
    model: type[StrictModel], given: Any, faults: set[Location]
) -> list[tuple[Location, str]]:
    """Where and how the valid values of `given` disagree.

    In: the `faults` that validating `given` as `model` found, by their location.
    """
    reader = _Reader(faults)
    if isinstance(given, dict):
        reader.read_model(model, given, ())
    return reader.found


class _Reader:
    """Reads what is valid, and lets the checks of every model judge that."""

    def __init__(self, faults: set[Location]) -> None:
        self.faults = faults
        self.found: list[tuple[Location, str]] = []

    def read(self, annotation: Any, given: Any, at: Location) -> Any:
        if not any(fault[: len(at)] == at for fault in self.faults):
            return _validated(annotation, given)
        kind, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if kind is list and isinstance(given, list):
            return [self.read_part(arguments[0], part, (*at, i)) for i, part in enumerate(given)]
        if kind is dict and isinstance(given, dict):
            return {
                key: self.read_part(arguments[1], part, (*at, key)) for key, part in given.items()
            }
        nested = models_in(annotation)
        if len(nested) > 1 and isinstance(given, dict):
            nested = model_of_kind(nested, given.get("kind"))
        if len(nested) != 1 or not isinstance(given, dict):
            raise Unknown
        return self.read_model(nested[0], given, at)

    def read_part(self, annotation: Any, given: Any, at: Location) -> Any:
        """One of several; of a model that cannot be read nothing is known, and the others can still be judged."""
        try:
            return self.read(annotation, given, at)
        except Unknown:
            if not models_in(annotation):
                raise
            return _NOTHING_KNOWN

    def read_model(self, model: type[StrictModel], given: dict[str, Any], at: Location) -> Partly:
        values = {}
        keys = {field.alias or name: name for name, field in model.model_fields.items()}
        misspelt = given.keys() - keys.keys()
        for key, name in keys.items():
            field = model.model_fields[name]
            with suppress(Unknown):
                if key in given:
                    values[name] = self.read(field.annotation, given[key], (*at, key))
                elif not misspelt and not field.is_required():
                    values[name] = field.get_default(call_default_factory=True)
        partly = Partly(model, values)
        self.found += [((*at, *said.at), said.sentence) for said in disagreements(model, partly)]
        return partly


def _validated(annotation: Any, given: Any) -> Any:
    try:
        return TypeAdapter(annotation).validate_python(given)
    except ValidationError:
        raise Unknown from None
