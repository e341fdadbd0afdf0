#!/usr/bin/env python
"""Django's command line, with the embedded services started for the commands that need them."""

import os
import sys

# Everything else talks to the database or to Redis.
WITHOUT_SERVICES = {
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "makemigrations",
    "settings_reference",
    "startagent",
    "startapp",
    "version",
    # The server that it becomes starts them.
    "web",
    "--forget",
    "--help",
    "--version",
    "-h",
}


def main(arguments: list[str]) -> int:
    """Run one command; a problem with the machine or the settings is a sentence, not a trace."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "countersign.settings")
    command = arguments[1] if len(arguments) > 1 else "help"
    if command == "demo":
        os.environ["COUNTERSIGN_DEMO"] = "1"
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.stderr.write(
            "Django is not installed for this Python. Run `make demo` once, which sets .venv up, "
            "and use .venv/bin/python manage.py.\n"
        )
        return 1
    from countersign.garbage import nothing_is_garbage

    with nothing_is_garbage():
        import django
        from django.db import OperationalError

        from countersign.addresses import prepare
        from countersign.config import ConfigError, load
        from countersign.embedded import EmbeddedError, release_services

    try:
        if command not in WITHOUT_SERVICES and not WITHOUT_SERVICES & set(arguments[2:]):
            prepare(load())
        with nothing_is_garbage():
            django.setup(set_prefix=False)
        execute_from_command_line(arguments)
    except (ConfigError, EmbeddedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OperationalError as error:
        sys.stderr.write(
            "The database cannot be reached. Check DATABASE_URL, DATABASE_OWNER_URL and "
            f"DATABASE_SEALER_URL, and that the server runs. It says: {str(error).strip()}\n"
        )
        return 1
    finally:
        release_services()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
