"""An installed app whose agent opens drawers of a vault: each by one call at a time."""
