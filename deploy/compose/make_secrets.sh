#!/bin/sh
# Make what compose.yaml asks for in ./secrets, once. What is there already stays as it is.
#   deploy/compose/make_secrets.sh HOST      e.g. countersign.example
set -eu
cd "$(dirname "$0")"
host=${1:?Name the public host: $0 countersign.example}
umask 077
mkdir -p secrets
# Nobody passes the folder but its owner; the files are read in containers by accounts of other numbers.
chmod 700 secrets

keep() {
    if [ -e "secrets/$1" ]; then
        cat >/dev/null
        return
    fi
    cat >"secrets/.$1.new"
    chmod 444 "secrets/.$1.new"
    mv "secrets/.$1.new" "secrets/$1"
    printf 'Made secrets/%s\n' "$1"
}
random() { openssl rand -hex "$1"; }
word() { cat "secrets/$1"; }

for name in postgres_password app_password owner_password sealer_password redis_password; do
    random 32 | tr -d '\n' | keep "$name"
done
random 64 | keep secret_key
random 48 | keep coin_secret
random 32 | keep metrics_token
# Yours, from OPENAI_API_KEY. A server of your own that asks for none is sent the word.
printf '%s\n' "${OPENAI_API_KEY:-none}" | keep openai_api_key
printf 'requirepass %s\n' "$(word redis_password)" | keep redis_auth
printf 'redis://:%s@redis:6379/0\n' "$(word redis_password)" | keep redis_url
for login in app owner sealer; do
    printf 'postgresql://countersign_%s:%s@postgres:5432/countersign\n' "$login" "$(word ${login}_password)" |
        keep "database_${login}_url"
done
if [ ! -e secrets/tls_key ]; then
    # Until you put yours there: browsers warn of it.
    openssl req -x509 -newkey rsa:2048 -sha256 -days 90 -nodes -subj "/CN=$host" \
        -addext "subjectAltName=DNS:$host" -keyout secrets/.fresh_key -out secrets/.fresh_certificate 2>/dev/null
    keep tls_certificate <secrets/.fresh_certificate
    keep tls_key <secrets/.fresh_key
    rm -f secrets/.fresh_key secrets/.fresh_certificate
fi
[ -e .env ] || printf 'COUNTERSIGN_HOST_NAME=%s\n' "$host" >.env
