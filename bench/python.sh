#!/bin/sh
# Runs a Python script in bench/.venv, the virtual environment of requirements.txt:
#
#     bench/python.sh [--peers | --mlflow | --serve | --schemathesis | --evidently] [SCRIPT [ARGUMENT ...]]
#
# With --peers in bench/.venv-peers, which has requirements-peers.txt, too; with another option in the environment of that
# name, which has its requirements alone. Makes the environment the first time and whenever its requirements have changed;
# without a script it does only that. PYTHON names another interpreter to make it from.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
kind=
case "${1:-}" in --peers | --mlflow | --serve | --schemathesis | --evidently) kind=${1#-} && shift ;; esac
venv=$here/.venv$kind
installed=$venv/requirements.txt # named so last: an environment without it is not whole

requirements() {
  case $kind in '' | -peers) cat "$here/requirements.txt" ;; esac
  [ -z "$kind" ] || cat "$here/requirements$kind.txt"
}

if ! requirements | cmp -s - "$installed"; then
  {
    echo "bench/python.sh: making $venv"
    "${PYTHON:-python3}" -m venv --clear "$venv"
    requirements >"$installed.aside"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$installed.aside"
  } >&2 # standard output is the script's
  mv "$installed.aside" "$installed"
fi

[ $# -eq 0 ] || exec "$venv/bin/python" "$@"
