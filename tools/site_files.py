"""A hook of MkDocs: files of the repository that pages link to go with the site, as texts a browser shows.

On GitHub a page links to ``../conf/identity.yaml``; on the site that is ``repository/conf/identity.yaml.txt``.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)\)")


def outside(page: str, target: str) -> str | None:
    """Path below the repository of a link that leads out of docs/; None for one that stays within."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
    return None if path.startswith("docs/") or not (ROOT / path).is_file() else path


def on_files(files: Any, config: Any) -> Any:
    """Add the files that pages link to."""
    from mkdocs.structure.files import File

    for page in files.documentation_pages():
        for target in _LINK.findall(page.content_string):
            path = outside(page.src_uri, target)
            name = _name(path) if path else None
            if path and name and files.get_file_from_path(name) is None:
                files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links that lead out of docs/ to the added files."""

    def rewrite(link: re.Match[str]) -> str:
        path = outside(page.file.src_uri, link[1])
        if path is None:
            return link[0]
        return f"]({posixpath.relpath(_name(path), posixpath.dirname(page.file.src_uri) or '.')})"

    return _LINK.sub(rewrite, markdown)


def _name(path: str) -> str:
    return f"repository/{path}.txt"
