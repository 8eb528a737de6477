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
compile --output-file requirements/core.txt pyproject.toml
compile --extra server --extra redis --extra postgresql --extra otel --output-file requirements/server.txt pyproject.toml
compile --extra server --extra redis --extra postgresql --extra otel --output-file requirements/dev.txt pyproject.toml requirements/dev.in
compile --output-file requirements/build.txt requirements/build.in
