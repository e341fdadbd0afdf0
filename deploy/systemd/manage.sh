#!/bin/sh
# As root: a command of manage.py with the settings, secrets and account of one part of this machine.
#   deploy/systemd/manage.sh web createsuperuser
#   deploy/systemd/manage.sh worker check_model
#   deploy/systemd/manage.sh sealer audit_log status        audit_fsck, audit_keys and audit_log are the sealer's
set -eu
part=${1:-}
account=countersign
secrets='database_app_url=DATABASE_URL redis_url=REDIS_URL secret_key=SECRET_KEY'
case $part in
web) ;;
worker) secrets="$secrets coin_secret=COUNTERSIGN_COIN_SECRET openai_api_key=OPENAI_API_KEY" ;;
sealer)
    account=countersign-sealer
    secrets="$secrets database_sealer_url=DATABASE_SEALER_URL"
    ;;
*)
    echo "Say for whom, and what: $0 web|worker|sealer COMMAND …" >&2
    exit 2
    ;;
esac
shift
# No name that begins with countersign-: drop-ins for those would have the last word.
unit=manage-countersign-$$
set -- /opt/countersign/.venv/bin/python manage.py "$@"
if [ "$part" = sealer ]; then
    set -- --property=UnsetEnvironment=DATABASE_SEALER_URL \
        --setenv=COUNTERSIGN_SIGNING_KEY_PATH=/etc/countersign/keys/signing_key.pem "$@"
fi
for each in $secrets; do
    set -- --property="LoadCredential=${each%%=*}:/etc/countersign/secrets/${each%%=*}" \
        --setenv="${each#*=}_FILE=/run/credentials/$unit.service/${each%%=*}" "$@"
done
how=--pipe
[ ! -t 0 ] || how=--pty
exec systemd-run --quiet --wait --collect "$how" --unit="$unit" --property=User="$account" --property=Group="$account" \
    --property=UMask=0077 --property=WorkingDirectory=/opt/countersign \
    --property=EnvironmentFile=/etc/countersign/environment --setenv=COUNTERSIGN_DATA_DIR="/var/lib/$account" "$@"
