#!/bin/sh
# Run once by the PostgreSQL image on an empty volume: three logins, none a superuser (docs/operations.md).
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set app="$(cat /run/secrets/app_password)" \
    --set owner="$(cat /run/secrets/owner_password)" \
    --set sealer="$(cat /run/secrets/sealer_password)" <<'SQL'
CREATE ROLE countersign_owner LOGIN PASSWORD :'owner';
CREATE ROLE countersign_app LOGIN PASSWORD :'app';
CREATE ROLE countersign_sealer LOGIN PASSWORD :'sealer';
CREATE DATABASE countersign OWNER countersign_owner;
REVOKE ALL ON DATABASE countersign FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE countersign TO countersign_app, countersign_sealer;
\connect countersign
ALTER SCHEMA public OWNER TO countersign_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO countersign_app, countersign_sealer;
SQL
