#!/bin/sh
# Have a Chromium for the browser tests: on the PATH, else the distribution's package when root,
# else Playwright's own. Tests are never left out because there is none. Where root can have the one
# that draws for no screen, it is taken: the same engine does half the work in it.
set -eu
venv=$1

works() { command -v "$1" >/dev/null 2>&1 && "$1" --version >/dev/null 2>&1; }
found() {
    for name in chromium-headless-shell chromium chromium-browser google-chrome; do
        works "$name" && return 0
    done
    "$venv/bin/python" - <<'PYTHON' 2>/dev/null
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not pathlib.Path(playwright.chromium.executable_path).exists())
PYTHON
}

# Notifications are shown by a whole one alone.
whole() { works chromium || works chromium-browser || works google-chrome; }
if works chromium-headless-shell && ! whole && [ "$(id -u)" = 0 ]; then
    printf 'Installing chromium with apt-get.\n' >&2
    apt-get update -qq >&2 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2 || true
fi
works chromium-headless-shell && whole && exit 0
if [ "$(id -u)" = 0 ] && apt-cache show chromium-headless-shell 2>/dev/null | grep -q '^Depends:'; then
    printf 'Installing chromium-headless-shell with apt-get.\n' >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o Acquire::Retries=0 -o Acquire::http::Timeout=20 chromium-headless-shell chromium >&2 || true
fi
works chromium-headless-shell && whole && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq >&2
    # Ubuntu's package is a pointer to a snap, which is no use here: only a real one is installed.
    for package in chromium-headless-shell chromium; do
        if apt-cache show "$package" 2>/dev/null | grep -q '^Depends:'; then
            printf 'Installing %s with apt-get.\n' "$package" >&2
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >&2 || true
                    fi
    done
    found && exit 0
    "$venv/bin/python" -m playwright install-deps chromium >&2 || true
fi
"$venv/bin/python" -m playwright install chromium >&2 || true
found && exit 0
printf '%s\n' "The browser tests need Chromium, and none could be installed. Install one so that \
\`chromium --version\` works (Debian: apt-get install chromium), and run this again." >&2
exit 1
