"""The notebooks, run one after the other in one kernel, so that one Spark session serves them all."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from support.shops import ROOT, environment

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
_VARIABLES = ("CLVSPARK_CONFIG", "CLVSPARK_FIND", "CLVSPARK_REPORTING")
# By the tag of a cell: what it put out by mime type, and what it printed as `printed`.
Shown = dict[str, dict[str, str]]


def read_notebook(name: str) -> NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@contextmanager
def open_kernel(folder: Path) -> Iterator[Callable[..., Shown]]:
    """Runs notebooks with the interpreter of the tests, whatever kernels the machine has registered."""
    spec = folder / "jupyter" / "kernels" / "this"
    spec.mkdir(parents=True)
    launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    told = {"argv": launch, "display_name": "this", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        client = NotebookClient(nbformat.v4.new_notebook(), kernel_name=spec.name, timeout=300)
        with client.setup_kernel(cwd=str(folder), env=environment()):
            yield lambda name, **given: _run(client, name, **given)


def _run(
    client: NotebookClient,
    name: str,
    *,
    cwd: Path = FOLDER,
    environment: Mapping[str, str],
    **parameters: Any,
) -> Shown:
    """Run a notebook from top to bottom; `parameters` are set after its cell of that tag.

    It finds no name of the notebook that was run before it, and of the variables that notebooks read those given.
    """
    notebook = read_notebook(name)
    begin = [
        "%reset -f",
        "import os",
        f"os.chdir({str(cwd)!r})",
        f"[os.environ.pop(name, None) for name in {_VARIABLES}]",
        f"os.environ.update({dict(environment)!r})",
    ]
    given = [f"{key} = {value!r}" for key, value in parameters.items()]
    tags = [cell.metadata.get("tags") for cell in notebook.cells]
    notebook.cells.insert(tags.index(["parameters"]) + 1, _cell("given", given))
    notebook.cells.insert(0, _cell("begin", begin))
    client.nb.cells = notebook.cells
    for number, cell in enumerate(notebook.cells):
        client.execute_cell(cell, number)
    return {cell.metadata.tags[0]: _shown_by(cell) for cell in code_cells(notebook)}


def _cell(tag: str, lines: list[str]) -> NotebookNode:
    return nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": [tag]})


def _shown_by(cell: NotebookNode) -> dict[str, str]:
    shown = {mime: data for o in cell.outputs for mime, data in getattr(o, "data", {}).items()}
    printed = "".join(
        o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout"
    )
    return {**shown, "printed": printed}


def drawn(shown: dict[str, str]) -> list[str]:
    """What the marks of a chart say of themselves, e.g. ``decile: 1; EUR: 40; part: a``."""
    picture = shown["image/svg+xml"].replace("\N{MINUS SIGN}", "-")
    labels = re.findall(r'aria-label="([^"]*)"', picture)
    return [label for label in labels if "; " in label]
