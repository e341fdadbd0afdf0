"""Is every file in static/vendor the one that VENDORED.json speaks of, and is none there besides?"""

import hashlib
import json
import sys
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
RECORD = "VENDORED.json"


def complaints() -> list[str]:
    """What does not fit, a sentence each."""
    found = []
    known = {RECORD}
    for package in json.loads((VENDOR / RECORD).read_text())["packages"]:
        known.add(package["licence_file"])
        if not (VENDOR / package["licence_file"]).is_file():
            found.append(f"The licence of {package['package']} is missing.")
        for name, expected in package["files"].items():
            known.add(name)
            path = VENDOR / name
            actual = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
            if actual != expected:
                found.append(f"{name} is {actual}, and should be {expected}.")
    here = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    return [*found, *(f"{name} is not in {RECORD}." for name in sorted(here - known))]


if __name__ == "__main__":
    problems = complaints()
    sys.stdout.write("\n".join(problems))
    sys.exit(bool(problems))
