"""An installed app whose agent has a secret and lets it slip in every way that a tool can."""
