/** How the ring looks at rest; what moves is painted on its canvas. */
import { css } from "lit";

/** Rules of the ring. */
export const ringStyles = css`
  .ring {
    position: relative;
    inline-size: 100%;
    max-inline-size: 500px;
    margin-inline: auto;
    aspect-ratio: 1;
  }

  canvas,
  svg {
    position: absolute;
    inset: 0;
    inline-size: 100%;
    block-size: 100%;
  }

  svg {
    overflow: visible;
    border-radius: 50%;
  }

  /* Browsers outline drawings also where the keyboard came by script. */
  svg:focus:not(:focus-visible) {
    outline: none;
  }

  .arc {
    cursor: pointer;
  }

  .arc path {
    fill: none;
  }

  .band {
    stroke: currentColor;
  }

  .halo {
    stroke: transparent;
  }

  .arc:hover .halo {
    stroke: var(--line-strong);
  }

  .arc.selected .halo {
    stroke: var(--ink);
  }

  .arc text {
    fill: oklch(17% 0.02 225);
    font: 700 13px var(--face-mono);
    text-anchor: middle;
    pointer-events: none;
  }

  .scale {
    fill: none;
    stroke: var(--line);
  }

  .tick line {
    stroke: var(--line-strong);
    stroke-width: 1;
  }

  .tick text {
    fill: var(--ink-soft);
    font: 11px var(--face-mono);
    text-anchor: middle;
  }

  .dial {
    position: absolute;
    inset: 0;
    display: flex;
    flex-direction: column;
    align-items: center;
    justify-content: center;
    line-height: 1.25;
    pointer-events: none;
  }

  .dial .value {
    font: 600 clamp(1.5rem, 7vw, var(--text-dial)) / 1.1 var(--face-mono);
    font-variant-numeric: tabular-nums;
  }

  .dial .unit,
  .dial .refused {
    color: var(--ink-soft);
    font-size: clamp(0.625rem, 2.6vw, var(--text-small));
  }

  .dial .refused.hot {
    color: var(--hot);
    font-weight: 600;
  }

  .probe {
    position: absolute;
    visibility: hidden;
  }

  .probe.hot {
    color: var(--hot);
  }

  .probe.line {
    color: var(--line-strong);
  }
`;
