/** Layout of the Faults place. */
import { css } from "lit";

/** The introduction and the grid of faults. */
export const faultsStyles = css`
  .intro {
    max-inline-size: 92ch;
  }

  .faults {
    display: grid;
    grid-template-columns: repeat(6, minmax(0, 1fr));
    gap: calc(var(--unit) * 4);
  }

  .faults > * {
    grid-column: span 2;
    min-inline-size: 0;
  }

  .faults > :nth-last-child(-n + 2) {
    grid-column: span 3;
  }

  @media (max-width: 1080px) {
    .faults {
      grid-template-columns: repeat(2, minmax(0, 1fr));
    }

    .faults > *,
    .faults > :nth-last-child(-n + 2) {
      grid-column: auto;
    }

    .faults > :last-child {
      grid-column: 1 / -1;
    }
  }

  @media (max-width: 700px) {
    .faults {
      grid-template-columns: minmax(0, 1fr);
      gap: calc(var(--unit) * 3);
    }
  }
`;
