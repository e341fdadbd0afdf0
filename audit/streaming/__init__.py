"""Sealed events on their way out: what is sent, in which form, and how each kind of receiver is spoken to."""
