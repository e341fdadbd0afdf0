"""Keys as a page's own overlay names them, so that one which no test presses is found."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from accounts.keymap import ACTIONS, DEFAULTS, Group

NAMED = """(lines) => lines.filter((line) => line.checkVisibility()).map((line) => line.dataset.action)"""


class Keys:
    """Presses a page's keys by what they do, as they are by default.

    `shown` are the actions that the overlay named on any of the pages where `read` opened it,
    `pressed` those whose key the test has pressed.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.shown: set[str] = set()
        self.pressed: set[str] = set()

    def read(self) -> None:
        """Open the overlay by its key, note what it names, and close it."""
        overlay = self.page.locator("#key-help")
        self.press("help")
        expect(overlay).to_be_visible()
        # The palette and the digits are nobody's choice: they stand in no map.
        self.shown |= ACTIONS.keys() & set(overlay.locator("[data-action]").evaluate_all(NAMED))
        self.page.keyboard.press("Escape")
        expect(overlay).to_be_hidden()

    def press(self, action: str) -> None:
        self.page.keyboard.press(DEFAULTS[action])
        self.pressed.add(action)

    def go(self, place: str) -> None:
        """To a page: `go`, and the key of the place."""
        self.press("go")
        self.press(place)

    def missed(self, *groups: Group) -> set[str]:
        """Of these groups, what the overlay named and the test did not press."""
        return {name for name in self.shown - self.pressed if ACTIONS[name].group in groups}
