"""Who: people, roles, review groups, API tokens, sign-in."""
