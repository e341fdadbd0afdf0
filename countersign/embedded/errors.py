"""What can go wrong with the embedded services, as sentences for a person."""


class EmbeddedError(Exception):
    """The embedded services cannot be used; the text says why and what to do."""
