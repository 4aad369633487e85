/** Rules of fields in forms: labels above, native controls in the site's dress. */
import { css } from "lit";

/** Labels, inputs, selects and the rows that hold them. */
export const formStyles = css`
  form {
    display: grid;
    gap: calc(var(--unit) * 3);
  }

  label,
  legend {
    font-size: var(--text);
    font-weight: 500;
  }

  label .hint {
    color: var(--ink-soft);
    font-size: var(--text-small);
    font-weight: 400;
  }

  input:not([type="radio"], [type="checkbox"], [type="range"]),
  select,
  textarea {
    display: block;
    inline-size: 100%;
    min-block-size: 36px;
    margin-block-start: var(--unit);
    padding: 0 calc(var(--unit) * 2);
    border: 1px solid var(--line-strong);
    border-radius: var(--radius);
    background: var(--raised);
    color: var(--ink);
    font: var(--text) var(--face);
  }

  textarea {
    padding-block: calc(var(--unit) * 2);
    font-family: var(--face-mono);
    resize: vertical;
  }

  input[type="number"],
  input.mono {
    font-family: var(--face-mono);
    font-variant-numeric: tabular-nums;
  }

  input[type="radio"],
  input[type="checkbox"] {
    inline-size: 16px;
    block-size: 16px;
    margin: 0;
    accent-color: var(--water);
  }

  fieldset {
    display: grid;
    gap: calc(var(--unit) * 2);
    min-inline-size: 0;
    margin: 0;
    padding: 0;
    border: 0;
  }

  legend {
    padding: 0;
  }

  .choice {
    display: flex;
    align-items: center;
    gap: calc(var(--unit) * 2);
    min-block-size: 28px;
    font-weight: 400;
  }

  .buttons {
    display: flex;
    flex-wrap: wrap;
    gap: calc(var(--unit) * 2);
  }

  .side {
    display: flex;
    align-items: flex-end;
    gap: calc(var(--unit) * 2);
  }

  .side > label {
    flex: 1;
    min-inline-size: 0;
  }

  .side > button {
    min-block-size: 36px;
  }
`;
