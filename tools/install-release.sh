#!/bin/sh
# Install Healing Eval as it is released, a wheel without the checkout, into a virtual environment of its own.
# usage: install-release.sh dependencies FOLDER     everything it needs, pinned and hashed
#        install-release.sh wheel FOLDER            itself, built from this checkout; asks no index
# Two steps, so that an image keeps the first one while only our code changes. PYTHON names the interpreter.
set -eu
step=$1
venv=$2
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."
quiet="--quiet --disable-pip-version-check --no-input --no-cache-dir"

case $step in
dependencies)
    "$python" -m venv "$venv" && "$python" -m venv "$venv.build"
    "$venv.build/bin/python" -m pip install $quiet --require-hashes -r requirements/build.txt
    "$venv/bin/python" -m pip install $quiet --require-hashes --only-binary :all: -r requirements/server.txt
    ;;
wheel)
    "$venv.build/bin/python" -m pip wheel $quiet --no-index --no-deps --no-build-isolation --wheel-dir "$venv.build/dist" .
    "$venv/bin/python" -m pip install $quiet --no-index --no-deps "$venv.build/dist/"*.whl
    "$venv/bin/python" -m pip uninstall $quiet --yes pip setuptools
    ;;
*)
    echo "install-release: no step $step; known: dependencies, wheel" >&2
    exit 2
    ;;
esac
