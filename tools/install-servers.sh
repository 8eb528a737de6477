#!/bin/sh
# Install the servers that the tests of real services start: PostgreSQL and Redis, from Debian, and only as root.
# The tests start their own, on ports of their own, so one that runs already, or that Debian starts, is left alone.
# `install-servers.sh faketime` installs besides what shifts the clock of a process, which only `make chaos` wants.
set -eu

missing=
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null 2>&1 \
    || missing="$missing postgresql-15"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
if [ "${1:-}" = faketime ]; then
    ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || missing="$missing faketime"
fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "install-servers: what needs real services will not run without:$missing"
    echo "install-servers: on Debian, as root: apt-get install$missing"
    exit 0
fi

echo "installing$missing, for what needs real services"
apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null
# shellcheck disable=SC2086 - a list of packages
DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing \
    </dev/null >/dev/null || { echo "install-servers: apt-get could not install$missing" >&2; exit 1; }
