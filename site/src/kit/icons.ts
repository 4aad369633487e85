/** The few line icons of the site, drawn on a grid of 16. */
import { svg, type TemplateResult } from "lit";

/** Names of the icons. */
export type IconName =
  | "wheel"
  | "streams"
  | "storage"
  | "bolt"
  | "consume"
  | "produce"
  | "pipelines"
  | "sync"
  | "split"
  | "merge"
  | "link"
  | "down"
  | "pause"
  | "play"
  | "code"
  | "close"
  | "copy"
  | "auto"
  | "light"
  | "dark";

const SHAPES: Readonly<Record<IconName, TemplateResult>> = {
  wheel: svg`<circle cx="8" cy="8" r="6"/><path d="M8 2v12M2 8h12M3.8 3.8l8.4 8.4M12.2 3.8l-8.4 8.4"/>`,
  streams: svg`<path d="M1.5 4.5c2-1.6 4.5-1.6 6.5 0s4.5 1.6 6.5 0M1.5 8.5c2-1.6 4.5-1.6 6.5 0s4.5 1.6 6.5 0M1.5 12.5c2-1.6 4.5-1.6 6.5 0s4.5 1.6 6.5 0"/>`,
  storage: svg`<ellipse cx="8" cy="3.8" rx="5.5" ry="2.3"/><path d="M2.5 3.8v8.4c0 1.3 2.5 2.3 5.5 2.3s5.5-1 5.5-2.3V3.8M2.5 8c0 1.3 2.5 2.3 5.5 2.3s5.5-1 5.5-2.3"/>`,
  bolt: svg`<path d="M9.5 1.5 3.5 9h4l-1 5.5 6-7.5h-4z"/>`,
  consume: svg`<path d="M2 4.5h5M2 11.5h5M7 4.5l3 3.5-3 3.5"/><circle cx="12" cy="8" r="2"/>`,
  produce: svg`<circle cx="4" cy="8" r="2"/><path d="M6 8l3-3.5h5M6 8l3 3.5h5"/>`,
  pipelines: svg`<rect x="1.5" y="5.5" width="4" height="5" rx="1"/><rect x="10.5" y="1.5" width="4" height="5" rx="1"/><rect x="10.5" y="9.5" width="4" height="5" rx="1"/><path d="M5.5 8H8m0 0V4h2.5M8 8v4h2.5"/>`,
  sync: svg`<path d="M2.5 8a5.5 5.5 0 0 1 9.6-3.6M12.5 1.5v3.2H9.3M13.5 8a5.5 5.5 0 0 1-9.6 3.6M3.5 14.5v-3.2h3.2"/>`,
  split: svg`<path d="M2 8h4l4-4.5h4M6 8l4 4.5h4"/>`,
  merge: svg`<path d="M14 8h-4L6 3.5H2M10 8l-4 4.5H2"/>`,
  link: svg`<path d="M6.5 9.5l3-3M7 4.5l1.5-1.5a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3 3 0 0 1 3 8.5L4.5 7"/>`,
  down: svg`<path d="M8 3v10M4 9l4 4 4-4"/>`,
  pause: svg`<path d="M5.5 3.5v9M10.5 3.5v9"/>`,
  play: svg`<path d="M5 3.5v9l7-4.5z"/>`,
  code: svg`<path d="M5 4.5 1.5 8 5 11.5M11 4.5 14.5 8 11 11.5"/>`,
  close: svg`<path d="M4 4l8 8M12 4l-8 8"/>`,
  copy: svg`<rect x="5.5" y="5.5" width="8" height="8" rx="1"/><path d="M10.5 5.5v-3h-8v8h3"/>`,
  auto: svg`<circle cx="8" cy="8" r="5.5"/><path d="M8 2.5v11M8 5h4.5M8 8h5.5M8 11h4.5"/>`,
  light: svg`<circle cx="8" cy="8" r="3"/><path d="M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1"/>`,
  dark: svg`<path d="M13 9.8A5.5 5.5 0 0 1 6.2 3a5.5 5.5 0 1 0 6.8 6.8z"/>`,
};

/** Content of an `<svg class="icon" viewBox="0 0 16 16">`; decoration, so hide it from screen readers. */
export function iconShape(name: IconName): TemplateResult {
  return SHAPES[name];
}
