/** Layout of the live view. */
import { css } from "lit";

/** Rules of the live view. */
export const liveStyles = css`
  .page {
    display: grid;
    align-content: start;
    gap: calc(var(--unit) * 4);
    inline-size: 100%;
    max-inline-size: 1440px;
    margin-inline: auto;
    padding: calc(var(--unit) * 5) calc(var(--unit) * 6) calc(var(--unit) * 6);
  }

  .page > * {
    min-inline-size: 0;
  }

  header {
    display: flex;
    flex-wrap: wrap;
    align-items: flex-end;
    justify-content: space-between;
    gap: calc(var(--unit) * 3);
  }

  h1 {
    font-size: var(--text-title);
    font-weight: 650;
    line-height: 1.3;
  }

  .actions {
    display: flex;
    gap: calc(var(--unit) * 2);
  }

  #pause {
    min-inline-size: 104px;
  }

  .top {
    display: grid;
    grid-template-columns: minmax(0, 1.05fr) minmax(0, 1fr);
    gap: calc(var(--unit) * 4);
  }

  .stack {
    display: grid;
    grid-template-rows: auto 1fr;
    gap: calc(var(--unit) * 4);
  }

  @media (max-width: 960px) {
    .top {
      grid-template-columns: minmax(0, 1fr);
    }
  }

  @media (max-width: 700px) {
    .page {
      padding: calc(var(--unit) * 4) calc(var(--unit) * 3);
      gap: calc(var(--unit) * 3);
    }
  }
`;
