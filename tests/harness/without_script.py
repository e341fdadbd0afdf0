"""What a page shows that nothing but a script could fill, or bring to do anything; for a browser without one."""

from __future__ import annotations

from playwright.sync_api import Page

# Said by how it is built: a button that sends no form, a field that no form takes along, a form that nothing sends, a
# link to nowhere. The style guide's samples are pictures of such things.
_LOOK = """() => {
    const seen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    const all = (selector) => [...document.querySelectorAll(selector)]
        .filter((element) => !element.closest(".specimen") && seen(element));
    const told = (what) => (element) => `${what}: ${element.outerHTML.slice(0, 160)}`;

    const heading = all("main :is(h1, h2)").some((element) => element.textContent.trim() !== "");
    const opens = "[popovertarget], [commandfor]";
    const pressed = all("button, input:is([type=button], [type=image]), [role=button]")
        .filter((element) => !element.matches(opens) && (element.type !== "submit" || element.form === null));
    const alone = all("input, select, textarea").filter((element) => !element.form && !element.readOnly);

    // One line of text is sent by Enter; a choice, a box or a second line needs something to press.
    const typed = "input:not([type=hidden], [type=checkbox], [type=radio], [type=range], [type=file])";
    const unsent = all("form").filter((form) => {
        const fields = [...form.elements].filter((field) => field.matches("input, select, textarea") && seen(field));
        const sends = [...form.elements].some((field) => field.type === "submit" && seen(field));
        return fields.length > 0 && !sends && !(fields.length === 1 && fields[0].matches(typed));
    });

    const nowhere = all("a").filter((link) => {
        const said = link.getAttribute("href") ?? "#";
        return said === "#" || said.startsWith("javascript:")
            || (said.startsWith("#") && !document.getElementById(decodeURIComponent(said.slice(1))));
    });

    // Room for words, or drawn as a box, and with nothing in it.
    const filled = "img, svg, svg *, iframe, progress, meter, hr, br, input, select, textarea, td, th, col";
    const empty = all("main *, .banner, [role=status]").filter((element) => {
        if (element.matches(filled) || element.childElementCount || element.textContent.trim()) return false;
        const { width, height } = element.getBoundingClientRect();
        const isDrawn = parseFloat(getComputedStyle(element).borderTopWidth) > 0;
        return height > 16 && width > (isDrawn ? 16 : 64);
    });
    const moves = document.getAnimations()
        .filter((each) => each.effect.getComputedTiming().endTime === Infinity)
        .map((each) => each.effect.target).filter((element) => !element.closest(".specimen"));
    const waits = [...all("[aria-busy=true], .htmx-request"), ...moves];
    return [
        ...(heading ? [] : ["has no heading"]),
        ...pressed.map(told("does nothing when pressed")),
        ...alone.map(told("is sent by no form")),
        ...unsent.map(told("is a form that nothing sends")),
        ...nowhere.map(told("leads nowhere")),
        ...empty.map(told("is an empty box")),
        ...waits.map(told("waits for ever")),
    ];
}"""


def needs_a_script(page: Page) -> list[str]:
    """A line for each such thing on the page as it stands."""
    found: list[str] = page.evaluate(_LOOK)
    return found
