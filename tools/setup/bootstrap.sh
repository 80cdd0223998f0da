#!/bin/sh
# Finds a Python that the project supports and lets bootstrap.py do the rest.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

supported() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# The one of the environment that exists comes first, then the one the user names.
for python in "$here/../../.venv/bin/python" "${PYTHON:-python3}" \
    python3 python3.13 python3.12 python3.11 python3.14 python; do
    if supported "$python"; then
        exec "$python" -E -s "$here/bootstrap.py" "$@"
    fi
done

echo "error: clvspark needs Python 3.11 or newer, and none was found on the PATH." >&2
echo "Install one (for example 'apt install python3 python3-venv'), or name it: make PYTHON=/path/to/python3" >&2
exit 1
