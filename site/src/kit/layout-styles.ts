/** Layout that places and the panels in them share. */
import { css } from "lit";

/** The frame of a place: a page that fills the window, and the strip that stays at its edge. */
export const frameStyles = css`
  :host {
    display: flex;
    flex-direction: column;
    min-block-size: 100%;
  }

  .page {
    flex: 1;
  }

  mill-edge-strip {
    position: sticky;
    inset-block-end: 0;
    z-index: 2;
  }

  @media (max-width: 700px) {
    mill-edge-strip {
      inset-block-end: var(--bar-height, 0px);
    }
  }
`;

/** For an element that is a panel: what stands below one another, readings side by side, and lines that end in a button. */
export const stackStyles = css`
  .stack {
    display: grid;
    gap: calc(var(--unit) * 3);
  }

  .readings {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(128px, 1fr));
    gap: calc(var(--unit) * 3);
  }

  .line {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: calc(var(--unit) * 2) calc(var(--unit) * 3);
    padding-block-start: calc(var(--unit) * 3);
    border-block-start: 1px solid var(--line);
  }

  .line p {
    flex: 1 1 220px;
  }

  mill-panel {
    block-size: 100%;
  }
`;

/** A list of events with their times, which scrolls. */
export const eventListStyles = css`
  ol {
    display: grid;
    gap: calc(var(--unit) * 2);
    max-block-size: 250px;
    margin: 0;
    padding: 0;
    overflow-y: auto;
    list-style: none;
  }

  li {
    overflow-wrap: anywhere;
  }

  time {
    color: var(--ink-soft);
    font-family: var(--face-mono);
    font-size: var(--text-small);
  }
`;

/** Panels of one height, two beside one another where there is room. */
export const pairStyles = css`
  .pair {
    display: grid;
    grid-template-columns: repeat(2, minmax(0, 1fr));
    gap: calc(var(--unit) * 4);
  }

  .pair > * {
    min-inline-size: 0;
  }

  @media (max-width: 960px) {
    .pair {
      grid-template-columns: minmax(0, 1fr);
    }
  }
`;
