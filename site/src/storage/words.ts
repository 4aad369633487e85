/** What the engine reports of its storage, in words and lamps. */
import type { DataLossReport, EngineEvent, MemberStatus, StorageReport } from "millrace";
import type { LampState } from "../kit/lamp.ts";
import { formatNumberOf } from "../live/format.ts";

/** A lamp with its text, and where the text comes from. */
export interface Mark {
  readonly state: LampState;
  readonly text: string;
  readonly title: string;
}

/** Whether what is acknowledged survives. */
export function durabilityMark(storage: StorageReport | undefined): Mark {
  const title = "From the engine's storage report";
  if (storage === undefined) return { state: "off", text: "Not open", title };
  if (storage.full)
    return { state: "hot", text: "Full", title: `${title}: new records are refused` };
  return storage.durable
    ? { state: "good", text: "Durable", title: `${title}: kept in ${storage.kind}` }
    : { state: "warn", text: "Memory", title: `${title}: gone with the tab` };
}

/** Which part this tab plays. */
export function roleMark(member: MemberStatus | undefined): Mark {
  if (member === undefined) {
    return { state: "off", text: "No writer", title: "No engine is open in this tab" };
  }
  const { role, epoch, why = "", leaderId } = member;
  switch (role) {
    case "leader":
      return { state: "good", text: `Leader, epoch ${epoch}`, title: "This tab writes the log" };
    case "alone":
      return {
        state: "good",
        text: "Only writer",
        title: "This engine is not shared between tabs",
      };
    case "client":
      return {
        state: "warn",
        text: `Client, epoch ${epoch}`,
        title: `This tab never leads: ${why}`,
      };
    case "follower":
      return leaderId === undefined
        ? { state: "busy", text: "Waiting for a leader", title: "No tab leads at the moment" }
        : { state: "good", text: `Follower, epoch ${epoch}`, title: "Another tab writes the log" };
  }
}

/** The way that this tab's messages take to the writer. */
export function transportText(transport: MemberStatus["transport"]): string {
  switch (transport) {
    case "local":
      return "its own worker";
    case "port":
      return "a port to the leader's worker";
    case "broadcast":
      return "relayed by broadcast channel";
    case "none":
      return "none";
  }
}

/** The beginning of a random id: enough to tell two apart. */
export function shortId(id: string | undefined): string {
  return id === undefined || id === "" ? "–" : id.slice(0, 8);
}

/** A loss in one sentence. */
export function lossText({ kind, where, reason, recordCount }: DataLossReport): string {
  const count =
    recordCount === undefined
      ? "an unknown number of records"
      : formatNumberOf(recordCount, "record");
  return `${kind} ${where}: ${reason} (${count})`;
}

/** How grave an event is. */
export function eventState({ kind }: EngineEvent): LampState {
  switch (kind) {
    case "data-loss":
      return "hot";
    case "records-dropped":
    case "storage-full":
      return "warn";
    default:
      return "busy";
  }
}

/** An event in one sentence. */
export function eventText(event: EngineEvent): string {
  switch (event.kind) {
    case "data-loss":
      return `Lost: ${lossText(event.report)}`;
    case "records-dropped": {
      const { recordCount, streamName, shardId } = event;
      const count = recordCount === undefined ? "records" : formatNumberOf(recordCount, "record");
      return (
        `Dropped ${count} of ${streamName}, ${shardId}, from ${event.firstSequenceNumber} to ` +
        `${event.lastSequenceNumber}, because the store was full`
      );
    }
    case "storage-full":
      return event.full ? "The store is full: new records are refused" : "The store has room again";
    case "job-changed":
      return `Job ${event.jobName} is ${event.state ?? "deleted"}`;
    case "leader-changed":
      return event.here
        ? `This tab leads from now on, epoch ${event.epoch}`
        : `Another tab leads from now on, epoch ${event.epoch}`;
  }
}
