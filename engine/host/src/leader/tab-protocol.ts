/**
 * What the contexts that share an engine say to each other: announcements on a broadcast channel, and the
 * first messages on a connection to the leader. After those a connection carries `DataRequest` and
 * `DataAnswer` of `rpc/messages.ts`.
 *
 * Tabs of different builds talk to each other, so that this has a version of its own.
 */

/** Version of what contexts of one engine say to each other. */
export const TAB_PROTOCOL = 1;

/** Name of the broadcast channel of an engine. */
export function broadcastName(engineName: string): string {
  return `millrace:${engineName}`;
}

/** Name of the lock that a leader holds for as long as it lives: whoever gets to share it knows it dead. */
export function aliveLockName(engineName: string, epoch: number): string {
  return `millrace:${engineName}:alive:${epoch}`;
}

/** What a build says of itself, to be compared with another. */
export interface CodeVersion {
  readonly protocol: number;
  /** Version of the package, `major.minor.patch`. */
  readonly version: string;
  /** Format of the WAL frames that it writes. */
  readonly walFormat: number;
}

/** On the broadcast channel. All have `millrace: 1`; unknown kinds are ignored. */
export type TabMessage =
  /** The sender leads. Sent when it begins, and as an answer to "who-leads". */
  | {
      readonly millrace: 1;
      readonly kind: "leads";
      readonly epoch: number;
      readonly leaderId: string;
      readonly code: CodeVersion;
    }
  | { readonly millrace: 1; readonly kind: "who-leads"; readonly memberId: string }
  /** The sender has the lock and opens the log, which may take a while; repeated until it leads. */
  | { readonly millrace: 1; readonly kind: "opens"; readonly memberId: string }
  /** The leader ends in order: whoever waits for the lock gets it at once. */
  | { readonly millrace: 1; readonly kind: "resigns"; readonly epoch: number }
  /** A context of a newer build asks the leader to finish what is under way and let go. */
  | {
      readonly millrace: 1;
      readonly kind: "please-yield";
      readonly memberId: string;
      readonly code: CodeVersion;
    }
  /** One message of a connection that has no port, because there is no broker. `to` and `from` are member ids. */
  | {
      readonly millrace: 1;
      readonly kind: "relay";
      readonly to: string;
      readonly from: string;
      /** Counts from 1 in each direction, so that a lost message is noticed. */
      readonly number: number;
      readonly connection: string;
      readonly message: unknown;
    };

/** First message of a context on a connection. */
export interface ConnectionHello {
  readonly kind: "hello";
  readonly code: CodeVersion;
  readonly memberId: string;
}

/** The leader's answer; then requests and answers flow. */
export type ConnectionAnswer =
  | {
      readonly kind: "welcome";
      readonly code: CodeVersion;
      readonly epoch: number;
      readonly leaderId: string;
    }
  /** It does not lead, or not any more. */
  | { readonly kind: "not-leading" }
  /** The protocols do not fit; nothing more follows. */
  | { readonly kind: "unsupported"; readonly code: CodeVersion };

/** Sent by the leader on every connection when it sent nothing else for a while: it is not frozen. */
export interface ConnectionTick {
  readonly kind: "tick";
}

/**
 * Sent by a leader that ends or was deposed: nothing that was not answered will be. Sent by the other side
 * when it gives the connection up.
 */
export interface ConnectionFarewell {
  readonly kind: "farewell";
}
