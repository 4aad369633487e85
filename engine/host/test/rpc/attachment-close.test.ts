/** Threads that are attached when their engine closes: the next life has not to wait for their workers. */
import { transfer } from "comlink";
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { ControlChannel } from "../../src/rpc/control-channel.ts";
import { localThread } from "../../src/rpc/local-thread.ts";
import { type Hello, isHelloAnswer } from "../../src/rpc/messages.ts";
import { BUILD_ID, PROTOCOL, VERSION } from "../../src/rpc/version.ts";
import { createEngine } from "../../src/service/engine.ts";
import { coreModule } from "../support/cores.ts";
import { SMALL_ENGINE, TestEngine } from "../support/engines.ts";

const groupName = "group";

it("gives up the leases of attached workers before the engine closes", async () => {
  const platform = virtualPlatform();
  const thread = localThread({ platform, loadCore: coreModule, createEngine });
  const [control, data] = [new MessageChannel(), new MessageChannel()];
  const ready = new Promise<void>((resolve) => {
    thread.onMessage((message) => {
      if (isHelloAnswer(message) && message.millrace === "ready") resolve();
    });
  });
  const hello: Hello = {
    ...{ millrace: "hello", protocol: PROTOCOL, version: VERSION, buildId: BUILD_ID },
    ...{ options: SMALL_ENGINE, wasm: { simd: "", scalar: "" } },
    ...{ control: control.port2, data: data.port2 },
  };
  thread.greet(hello);
  await ready;
  const page = new ControlChannel(control.port1);
  const stream = { name: "clicks", shards: 1, retentionHours: 24, recordKibMax: 1024 };
  await page.call("createStream", stream);
  const startingPosition = { type: "TRIM_HORIZON" };
  await page.call("groupsCreate", { name: groupName, streamName: "clicks", startingPosition });
  const [ownControl, ownData] = [new MessageChannel(), new MessageChannel()];
  const ports = { control: ownControl.port2, data: ownData.port2 };
  await page.call("attach", transfer({ id: "one", ...ports }, Object.values(ports)));
  const attached = new ControlChannel(ownControl.port1);
  const joining = { groupName, workerId: "one", memberId: null };
  const { sessionId } = (await attached.call("groupJoin", joining)) as { sessionId: string };
  const polling = { groupName, sessionId, seenVersion: 1, waitMs: 1000 };
  expect(await attached.call("groupPoll", polling)).toMatchObject({ leases: [{ shardIndex: 0 }] });
  await page.call("close", null);
  thread.terminate();
  for (const { port1 } of [control, data, ownControl, ownData]) port1.close();
  const later = await TestEngine.open(platform);
  const { leases } = await later.service.call("groupsDescribe", { name: groupName });
  expect(leases.map(({ owner }) => owner)).toEqual([null]);
  await later.service.close();
});
