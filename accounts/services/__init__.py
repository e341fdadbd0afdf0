"""The only writers of accounts, one verb a module."""
