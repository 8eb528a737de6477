#!/bin/sh
# Install the servers that the tests of real services start: PostgreSQL and Redis, from Debian, and only as root.
# Nothing is started here, and a server that runs already is left alone: the tests start their own, on ports of their own.
set -eu

missing=
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null 2>&1 || missing="$missing postgresql-15"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed:$missing. Tests of real servers will not run; on Debian, as root: apt-get install$missing"
    exit 0
fi

# A cluster of Debian's own would start by itself on the default port, and nobody here needs it.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    made_conf=yes
fi
echo "installing$missing for the tests of real servers"
apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null
# shellcheck disable=SC2086 - a list of packages
if ! DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing \
    </dev/null >/dev/null 2>&1; then
    echo "install-servers: apt-get could not install$missing" >&2
    exit 1
fi
