"""Offers and moments in folders of YAML files: read with file, line and key of every fault, and their JSON Schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import yaml

from clvspark.audiences.decisions.offers import Offer
from clvspark.audiences.moments.definitions import Moment
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.load_config import load_config
from clvspark.lakehouse.strict_model import StrictModel, repeated

Definition = TypeVar("Definition", Offer, Moment)
SCHEMAS: dict[str, type[StrictModel]] = {"offer": Offer, "moment": Moment}


def read_definitions(folder: Path, model: type[Definition]) -> list[Definition]:
    """The definitions of all ``*.yaml`` files of a folder, by name of the file.

    Raises ConfigError that lists every fault of every file as ``FILE, line N: KEY: what, and what is allowed``.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise ConfigError(
            str(folder), ["there is no *.yaml file; write one, or name another folder"]
        )
    found: list[Definition] = []
    faults: list[str] = []
    for file in files:
        try:
            found.append(load_config(file, model))
        except ConfigError as error:
            faults += [_place(file, fault) for fault in error.faults]
    faults += [f"{name} is the id of more than one file" for name in repeated(d.id for d in found)]
    if faults:
        raise ConfigError(str(folder), faults)
    return found


def render_schema(model: type[StrictModel]) -> str:
    """JSON Schema of a definition as a text file, for editors to complete and check by."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(),
    }
    return json.dumps(schema, indent=2) + "\n"


def _place(file: Path, fault: str) -> str:
    """A fault with its file, and with the line of the key that it begins with."""
    keys = fault.split(": ", 1)[0].split(".")
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        node = None  # the fault is that it cannot be read, and says so
    line = None
    for key in keys:
        step = _enter(node, key)
        if step is None:
            break
        node, line = step
    return f"{file.name}, line {line}: {fault}" if line else f"{file.name}: {fault}"


def _enter(node: yaml.Node | None, key: str) -> tuple[yaml.Node, int] | None:
    """The value of a key or the element of a number, and the line that it begins on; None where there is none."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value, name.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
        element = node.value[int(key)]
        return element, element.start_mark.line + 1
    return None
