"""The few options of curl that pages use, over real HTTP: no machine has to have curl to run the tests.

An answer that is an error fails, whatever is asked for.
"""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request


def main() -> int:
    """Ask, and print the answer; 22 where it is an error, as of `curl -f`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-f", "--fail", action="store_true")
    parser.add_argument("-X", "--request")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data")
    given = parser.parse_args()
    url = given.url if "://" in given.url else f"http://{given.url}"
    headers = {name: value.strip() for name, _, value in (h.partition(":") for h in given.header)}
    data = None if given.data is None else given.data.encode()
    method = given.request or ("GET" if data is None else "POST")
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            sys.stdout.write(answer.read().decode())
    except urllib.error.HTTPError as refusal:
        sys.stderr.write(f"{method} {url} gave {refusal.code}: {refusal.read().decode()}\n")
        return 22
    return 0


if __name__ == "__main__":
    sys.exit(main())
