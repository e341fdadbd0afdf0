"""Text for terminals and names, where a character that cannot be seen could deceive. Pure."""


def printable(text: str) -> str:
    """The text with what is not printed as `[U+001B]`: escape codes, direction marks, zero widths.

    Line ends stay; every character that Unicode prints does too.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\n" else f"[U+{ord(each):04X}]" for each in text
    )
