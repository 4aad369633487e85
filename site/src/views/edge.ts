/** What stands at the foot of every place: the strip that tells the state of the site's engine. */
import { html, type TemplateResult } from "lit";
import type { MemberStatus, Millrace, StorageReport } from "millrace";
import "./edge-strip.ts";

/** What the strip tells. */
export interface EdgeReading {
  readonly storage: StorageReport;
  readonly member: MemberStatus;
}

/** Reads it. */
export async function readEdge(millrace: Millrace): Promise<EdgeReading> {
  const [storage, member] = await Promise.all([millrace.storage(), millrace.member()]);
  return { storage, member };
}

/** `<mill-edge-strip>` with a reading; undefined before the first. */
export function edgeStrip(reading: EdgeReading | undefined, online: boolean): TemplateResult {
  return html`<mill-edge-strip
    .storage=${reading?.storage}
    .member=${reading?.member}
    .online=${online}
  ></mill-edge-strip>`;
}
