#!/bin/sh
# Make a virtual environment with everything pinned in requirements/, from a bare checkout.
# usage: make-venv.sh FOLDER        PYTHON names the interpreter (default python3)
set -eu
venv=$1
python=${PYTHON:-python3}

fail() { echo "make-venv: $1" >&2; exit 1; }

command -v "$python" >/dev/null 2>&1 || fail "no $python on the PATH; on Debian: apt-get install python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || fail "$python is $("$python" -V 2>&1); Python 3.11 or newer is needed"

# Debian keeps ensurepip in a package of its own, and without it a new environment has no pip.
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 \
        || fail "this Python has no ensurepip; as root: apt-get install $package"
    echo "installing $package, which holds Python's ensurepip"
    apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
        "$package" >/dev/null || fail "apt-get could not install $package"
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "installing the pinned dependencies into $venv (about a minute the first time)"
pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check --no-input "$@"; }
pip install --require-hashes -r requirements/build.txt
pip install --require-hashes -r requirements/dev.txt
pip install --no-deps --no-build-isolation --editable .
