#!/bin/sh
# Starts the service with the pinned Node, from any working directory. `exec` lets signals reach it.
cd "$(dirname "$(readlink -f "$0")")" || exit 1
if [ ! -x node_modules/.bin/node ]; then
  echo "start.sh: the dependencies are not installed: run \"npm ci\" in $PWD first" >&2
  exit 2
fi
exec node_modules/.bin/node serving/src/main.ts
