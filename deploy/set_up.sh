#!/bin/sh
# Make the virtual environment in $1 from nothing, or bring it up to date with requirements.lock.
# Needs Python 3.11 to 3.13. As root on Debian and Ubuntu it installs what is missing.
set -eu
cd "$(dirname "$0")/.."
venv=$1

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }
install() {
    say "Installing $* with apt-get."
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}
fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

python=
for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 && fits "$candidate"; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || fail "Countersign needs Python 3.11, 3.12 or 3.13, and there is none on the PATH. \
Install one (Debian and Ubuntu: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3.12 …"

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 || ! fits "$venv/bin/python"; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        may_install || fail "Python $version has no venv module, so no environment can be made. \
Install it: sudo apt-get install python$version-venv"
        install "python$version-venv" || install python3-venv
    fi
    say "Making $venv with Python $version."
    rm -rf "$venv"
    "$python" -m venv "$venv" || fail "The environment $venv could not be made; see above."
fi

say "Installing dependencies (once)."
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --no-deps -r requirements.lock \
    || fail "The dependencies could not be installed; see above. Nothing else was changed."

if ! "$venv/bin/python" -c 'from countersign.embedded.redis import find_server; find_server()' >/dev/null 2>&1; then
    if may_install; then
        install redis-server
    else
        say "There is no Redis server for this Python and processor: sudo apt-get install redis-server"
    fi
fi
touch "$venv/.set-up"
