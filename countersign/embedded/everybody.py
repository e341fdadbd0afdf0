"""What PostgreSQL lets every login call and read, kept for the house's own logins in the embedded database.

Where a model writes statements, "everybody" is one login too many: advisory locks, notifications, settings,
sleeping, catalogues. The owner may hand single functions on.
"""

from __future__ import annotations

from typing import Final

from countersign.embedded.layout import LOGINS

LEFT_OPEN: Final = (
    "pg_auth_members",
    "pg_class",
    "pg_namespace",
    "pg_proc",
    "pg_roles",
    "pg_shdepend",
)
"""Catalogues in which a login can look up what it may do itself."""
_HOUSE: Final = f"{LOGINS['app']}, {LOGINS['sealer']}, {LOGINS['owner']}"

STATEMENTS: Final = f"""
DO $$
DECLARE
    routines text;
    relations text;
BEGIN
    SELECT string_agg(oid::regprocedure::text, ', ') INTO routines FROM pg_proc
     WHERE pronamespace = 'pg_catalog'::regnamespace
       AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0));
    IF routines IS NOT NULL THEN
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO {_HOUSE}', routines);
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO {LOGINS["owner"]} WITH GRANT OPTION', routines);
        EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC', routines);
    END IF;
    SELECT string_agg(oid::regclass::text, ', ') INTO relations FROM pg_class
     WHERE relnamespace = 'pg_catalog'::regnamespace
       AND relname NOT IN ({", ".join(f"'{name}'" for name in LEFT_OPEN)})
       AND EXISTS (SELECT FROM aclexplode(relacl) WHERE grantee = 0);
    IF relations IS NOT NULL THEN
        EXECUTE format('GRANT SELECT ON %s TO {_HOUSE}', relations);
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', relations);
    END IF;
END
$$;
GRANT USAGE ON SCHEMA information_schema TO {_HOUSE};
REVOKE ALL ON SCHEMA information_schema FROM PUBLIC;
GRANT USAGE ON LANGUAGE plpgsql, sql TO {_HOUSE};
REVOKE ALL ON LANGUAGE plpgsql, sql FROM PUBLIC;
"""  # noqa: S608 - names are constants
"""Run as the superuser in the product's database; running it again changes nothing."""
