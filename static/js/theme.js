// The theme changes at once and is kept in the same cookie that the server reads.
const YEAR_SECONDS = 365 * 24 * 60 * 60;

export function startTheme() {
  for (const form of document.querySelectorAll("[data-theme-choice]")) {
    form.addEventListener("submit", (event) => {
      const theme = event.submitter?.value;
      if (!theme) return;
      event.preventDefault();
      const secure = location.protocol === "https:" ? "; secure" : "";
      document.cookie = `${form.dataset.themeChoice}=${theme}; path=/; max-age=${YEAR_SECONDS}; samesite=lax${secure}`;
      document.documentElement.dataset.theme = theme;
      for (const button of form.querySelectorAll("button[name=theme]")) {
        button.setAttribute("aria-pressed", String(button.value === theme));
      }
    });
  }
}
