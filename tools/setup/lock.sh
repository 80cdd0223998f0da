#!/bin/sh
# Writes constraints.txt anew from a clean install of the newest allowed versions.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-.venv/bin/python}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --use-pep517 --editable '.[java,demo,bench,dev]'
{
    echo "# The versions that the project is tested with, on Python 3.11 to 3.13. Made by 'make lock':"
    echo "# a clean install of everything, then 'pip freeze'. pyproject.toml says what is allowed."
    "$work/venv/bin/python" -m pip freeze --exclude-editable | LC_ALL=C sort -f
} >"$work/constraints.txt"
mv "$work/constraints.txt" constraints.txt
