/** A follower's patience: what counts as a sign of life of a leader, and what does not. */
import { describe, expect, it } from "vitest";
import { OWN_CODE } from "../../src/leader/code-version.ts";
import { refuseConnection } from "../../src/leader/leader-desk.ts";
import { LeaderLink } from "../../src/leader/leader-link.ts";
import { TabChannel } from "../../src/leader/tab-channel.ts";
import { InProcessLocks } from "../../src/platform/in-process-locks.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import { VirtualNetwork } from "../../src/platform/virtual-channels.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";

describe("a context that led before and only says that it does not lead", () => {
  it("is no sign of life of a leader", async () => {
    const network = new VirtualNetwork();
    const clock = new VirtualClock(0);
    let refused = 0;
    const others = network.of("other").broadcast("e");
    new TabChannel(others, "other", {
      announced: () => undefined,
      connected: (port) => {
        refused += 1;
        port.listen(() => refuseConnection(port));
      },
    });
    const channels = network.of("own");
    const tabs = new TabChannel(channels.broadcast("e"), "own", {
      announced: () => undefined,
      connected: () => undefined,
    });
    let silences = 0;
    const link = new LeaderLink({
      ...{ name: "e", memberId: "own", code: OWN_CODE, clock, tabs, channels },
      ...{ random: new SeededRandom(1), locks: new InProcessLocks() },
      found: () => undefined,
      lost: () => undefined,
      silent: () => {
        silences += 1;
      },
      unsupported: () => undefined,
    });
    link.announced({ millrace: 1, kind: "leads", epoch: 1, leaderId: "other", code: OWN_CODE });
    link.start();
    for (let i = 0; i < 100; i++) await clock.advance(50);
    expect(refused).toBeGreaterThan(5);
    expect(silences).toBe(1);
    link.stop();
  });
});
