// Light or dark: as the system says, or as chosen here. dark.css is in force or not; nothing else differs.

const MEDIA = { system: "(prefers-color-scheme: dark)", dark: "all", light: "not all" };
const KEY = "brain-edge-theme";

/** Let a select choose, and keep its choice in this browser where that is allowed. */
export function startTheme(select) {
  const link = document.getElementById("dark");
  const choose = (theme) => {
    link.media = MEDIA[theme];
    document.documentElement.dataset.theme = theme;
  };
  select.value = kept();
  choose(select.value);
  select.addEventListener("change", () => {
    choose(select.value);
    try {
      localStorage.setItem(KEY, select.value);
    } catch {
      // A browser that keeps nothing: the choice holds for this page.
    }
  });
}

function kept() {
  try {
    const theme = localStorage.getItem(KEY);
    return theme in MEDIA ? theme : "system";
  } catch {
    return "system";
  }
}
