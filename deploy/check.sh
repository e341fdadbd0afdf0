#!/bin/sh
# All that is checked before tests. Goes through to the end, then fails if anything did.
set -u
cd "$(dirname "$0")/.."
bin=$1/bin
failed=

run() {
    title=$1
    shift
    printf '%-12s ' "$title"
    if output=$("$@" 2>&1); then
        printf 'well\n'
    else
        printf 'NOT WELL\n%s\n\n' "$output"
        failed="$failed $title"
    fi
}

# Settings are read and services are never started by what follows.
unset DATABASE_URL DATABASE_OWNER_URL DATABASE_SEALER_URL REDIS_URL SECRET_KEY PORT
export COUNTERSIGN_DEMO=1 DJANGO_SETTINGS_MODULE=countersign.settings
templates() { find templates -name '*.html' -print0 | xargs -0 "$@"; }
deployed() {
    env -u COUNTERSIGN_DEMO COUNTERSIGN_BASE_URL=https://countersign.example \
        SECRET_KEY=a-key-that-is-used-for-this-check-alone-and-protects-nothing-whatsoever \
        DATABASE_URL=postgresql://app@database.example/countersign \
        DATABASE_OWNER_URL=postgresql://owner@database.example/countersign \
        DATABASE_SEALER_URL=postgresql://sealer@database.example/countersign \
        REDIS_URL=redis://redis.example/0 \
        "$bin/python" manage.py check --deploy --fail-level WARNING
}

run format "$bin/ruff" format --check .
run lint "$bin/ruff" check .
run types "$bin/mypy"
run imports "$bin/lint-imports"
run templates templates "$bin/djade" --check --target-version 5.2
run html "$bin/djlint" templates --lint --quiet
# Without a database Django cannot compare the history, which is not what is asked here.
run migrations "$bin/python" -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
# Would a migration stop a product that is at work, or the processes of the release before?
run live "$bin/python" deploy/check_migrations.py
run settings "$bin/python" manage.py settings_reference --check
run deployment deployed
run vendored "$bin/python" deploy/check_vendored.py
run lock "$bin/python" deploy/check_lock.py
run languages "$bin/python" deploy/catalogues.py --check
run reference "$bin/python" deploy/reference.py --check
run site "$bin/python" deploy/documentation.py

if [ -n "$failed" ]; then
    printf 'Not well:%s\n' "$failed"
    exit 1
fi
printf 'All checks are well.\n'
