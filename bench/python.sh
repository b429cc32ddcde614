#!/bin/sh
# Runs a Python script in bench/.venv, the virtual environment of requirements.txt:
#
#     bench/python.sh SCRIPT [ARGUMENT ...]
#
# Makes the environment the first time and whenever requirements.txt has changed; without a script it does
# only that. PYTHON names another interpreter to make it from.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=$here/.venv
installed=$venv/requirements.txt # written last: an environment without it is not whole

if ! cmp -s "$here/requirements.txt" "$installed"; then
  {
    echo "bench/python.sh: making bench/.venv from bench/requirements.txt"
    "${PYTHON:-python3}" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  } >&2 # standard output is the script's
  cp "$here/requirements.txt" "$installed"
fi

[ $# -eq 0 ] || exec "$venv/bin/python" "$@"
