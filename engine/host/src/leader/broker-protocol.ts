/**
 * What contexts and the port broker say to each other. Frozen at version 1: a broker of one build serves
 * pages of every other one, so that messages are only ever added, and unknown ones are ignored.
 *
 * The broker is a SharedWorker. It hands ports over and keeps what tabs leave behind; it never reads data.
 */

import type { KeptBatch } from "../rpc/hand-off.ts";

/** Version of the protocol. */
export const BROKER_PROTOCOL = 1;

export type { KeptBatch } from "../rpc/hand-off.ts";

/** From a context to the broker. */
export type ToBroker =
  /** The sender leads an engine: connections to it go to this port from now on. A lower epoch is ignored. */
  | {
      readonly broker: 1;
      readonly kind: "lead";
      readonly engine: string;
      readonly epoch: number;
    }
  /** The sender does not lead any more; ignored when another one does by now. */
  | {
      readonly broker: 1;
      readonly kind: "resign";
      readonly engine: string;
    }
  /** Hands a port over to the leader of an engine; while there is none it waits for one, if not too many do. */
  | {
      readonly broker: 1;
      readonly kind: "connect";
      readonly engine: string;
      readonly port: unknown;
    }
  /** Keeps batches until a leader took them. Batches of one producer are in the order of their numbers. */
  | {
      readonly broker: 1;
      readonly kind: "keep";
      readonly engine: string;
      readonly batches: readonly KeptBatch[];
    }
  /** The leader settled what it was given under an id. */
  | {
      readonly broker: 1;
      readonly kind: "kept-settled";
      readonly engine: string;
      readonly id: number;
    };

/** From the broker to the leader of an engine. */
export type FromBroker =
  /** A context wants to talk: it sends the first message on the port. */
  | {
      readonly broker: 1;
      readonly kind: "connection";
      readonly engine: string;
      readonly port: unknown;
    }
  /** Batches that a tab left behind; given again to the next leader until they are settled. */
  | {
      readonly broker: 1;
      readonly kind: "kept";
      readonly engine: string;
      readonly id: number;
      readonly batches: readonly KeptBatch[];
    };
