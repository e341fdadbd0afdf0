"""Why a batch did not get through, in words that hold nothing of what was sent."""

import ssl


class NotDelivered(Exception):
    """`why` is a code for the log of events, the text a sentence for an operator.

    `after_seconds` is how long the receiver asks to be left alone, if it does.
    """

    def __init__(self, why: str, sentence: str, *, after_seconds: float | None = None) -> None:
        super().__init__(sentence)
        self.why = why
        self.after_seconds = after_seconds


def unreachable(error: BaseException) -> NotDelivered:
    """What a failed connection says: of a certificate why it is not trusted, else the kind of error alone."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotDelivered(
                "certificate", f"Its certificate is not trusted ({cause.verify_message})."
            )
        cause = cause.__cause__ or cause.__context__
    return NotDelivered("unreachable", f"It cannot be reached ({type(error).__name__}).")


def timed_out(seconds: float) -> NotDelivered:
    """The receiver took too long."""
    return NotDelivered("timeout", f"It did not take a batch within {seconds:g} seconds.")
