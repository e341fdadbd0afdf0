"""A secret from the environment: in a variable, or in a file that the variable's name with `_FILE` leads to.

Files are how containers (`/run/secrets`), Kubernetes and systemd (`LoadCredential=`) hand secrets over: they
stand in no process list, no crash report and no child's environment.
"""

import os
from pathlib import Path
from typing import Final

SUFFIX: Final = "_FILE"
LONGEST_BYTES: Final = 1_048_576


def given(name: str) -> str:
    """The value of `name`, or the content of the file at `name_FILE` without the line break at its end.

    Empty where neither is given. Raises ValueError, with a sentence that holds no value, where both are or
    the file cannot be read as text.
    """
    value = os.environ.get(name, "")
    path = os.environ.get(name + SUFFIX, "")
    if not path:
        return value
    if value:
        raise ValueError(f"{name} and {name}{SUFFIX} are both set; leave one of them out")
    try:
        with Path(path).open("rb") as file:
            content = file.read(LONGEST_BYTES + 1)
    except OSError as error:
        raise ValueError(
            f"{name}{SUFFIX}: the file that it names cannot be read ({error.strerror})"
        ) from None
    if len(content) > LONGEST_BYTES:
        raise ValueError(
            f"{name}{SUFFIX}: the file that it names is longer than {LONGEST_BYTES} bytes"
        )
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{name}{SUFFIX}: the file that it names is not text in UTF-8") from None
    if not text:
        raise ValueError(f"{name}{SUFFIX}: the file that it names is empty")
    return text
