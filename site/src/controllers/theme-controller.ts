/** Light, dark, or as the system has it; kept for the next visit. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

const KEY = "millrace-theme";

/** The choices in the order in which a switch goes through them. */
export const THEMES = ["auto", "light", "dark"] as const;

/** A choice of theme. */
export type Theme = (typeof THEMES)[number];

function keptTheme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return THEMES.find((theme) => theme === kept) ?? "auto";
  } catch {
    // Without storage every visit begins as the system has it.
    return "auto";
  }
}

/** Applies the kept theme to the page. */
export function applyKeptTheme(): Theme {
  const theme = keptTheme();
  applyTheme(theme);
  return theme;
}

function applyTheme(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

/** Holds the theme for a host that switches it. */
export class ThemeController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  #theme: Theme = applyKeptTheme();

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  /** The choice that holds. */
  get theme(): Theme {
    return this.#theme;
  }

  /** The choice that the switch goes to next. */
  get nextTheme(): Theme {
    return THEMES[(THEMES.indexOf(this.#theme) + 1) % THEMES.length] ?? "auto";
  }

  hostConnected(): void {}

  /** Goes to the next choice and keeps it. */
  advance(): void {
    this.#theme = this.nextTheme;
    applyTheme(this.#theme);
    try {
      localStorage.setItem(KEY, this.#theme);
    } catch {
      // The choice then holds for this visit only.
    }
    this.#host.requestUpdate();
  }
}
