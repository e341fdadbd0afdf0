"""Pages: people for admins, settings for everybody."""
