#!/bin/sh
# Pin all dependencies, with hashes and without the address of any server.
# requirements/core.txt is what the package alone needs, server.txt adds the extras, dev.txt adds our tools.
set -eu
cd "$(dirname "$0")/.."
bin=.venv/bin
compile() {
    CUSTOM_COMPILE_COMMAND="make requirements" "$bin/pip-compile" --quiet --strip-extras --allow-unsafe --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-annotate --resolver=backtracking "$@"
}
extras="--extra server --extra redis --extra postgresql --extra otel --extra prices"
# What is installed with us is what we test with, so the pins of dev.txt hold for the others.
# shellcheck disable=SC2086
compile $extras --output-file requirements/dev.txt pyproject.toml requirements/dev.in
compile --constraint requirements/dev.txt --output-file requirements/core.txt pyproject.toml
# shellcheck disable=SC2086
compile $extras --constraint requirements/dev.txt --output-file requirements/server.txt pyproject.toml
compile --output-file requirements/build.txt requirements/build.in
