/** What the producer is set to, in the address and back; and the code that is shown for it. */
import { describe, expect, it } from "vitest";
import { addressOf, producerOf, searchOfAddress } from "../src/places/address.ts";
import { producerSamples } from "../src/producer/samples.ts";
import { addressWith, isBlank, RATES_PER_SECOND, settingsOf } from "../src/producer/settings.ts";

describe("settings of the playground", () => {
  it("are said in the address only where they are not as at a first visit", () => {
    const first = producerOf();
    expect(isBlank(first)).toBe(true);
    expect(searchOfAddress(first)).toBe("?place=producer");
    const changed = addressWith(first, { ratePerSecond: 500, dataText: "{{counter}}" });
    expect(isBlank(changed)).toBe(false);
    expect(addressOf(searchOfAddress(changed))).toEqual(changed);
    expect(settingsOf(changed)).toMatchObject({ ratePerSecond: 500, aggregation: true });
    const { data } = settingsOf(first);
    expect(addressWith(changed, { ratePerSecond: 100, dataText: data.text })).toEqual(first);
    expect(isBlank(addressWith(first, { aggregation: false }))).toBe(false);
  });

  it("fall back to a rate that can be chosen", () => {
    const settings = settingsOf({ ...producerOf(), ratePerSecond: 7 });
    expect(RATES_PER_SECOND).toContain(settings.ratePerSecond);
  });

  it("keep a template that does not read as text, with what is wrong", () => {
    const { data } = settingsOf({ ...producerOf(), dataTemplate: "{{no}}" });
    expect(data).toMatchObject({ text: "{{no}}", template: undefined });
    expect(data.problem).toContain("no placeholder no");
  });

  it("begin with data that is JSON and code that makes such data", () => {
    const settings = settingsOf(producerOf("s"));
    const [records] = producerSamples(settings);
    const record: unknown = new Function(`${records?.code}; return record(41);`)();
    expect(record).toMatchObject({ partitionKey: expect.stringMatching(/^sensor-\d+$/) });
    const { data } = record as { data: string };
    expect(JSON.parse(data)).toMatchObject({ id: 41, celsius: expect.any(Number) });
  });

  it.each([true, false])("are shown as calls of both SDKs, aggregation %s", (aggregation) => {
    const settings = settingsOf({ ...producerOf("clicks"), aggregation });
    const [, sdk, aws] = producerSamples(settings).map(({ code }) => code);
    expect(sdk).toContain(`stream.producer({ aggregation: ${aggregation} })`);
    expect(aws).toContain("PutRecordsCommand");
    expect(aws?.includes("encodeAggregate")).toBe(aggregation);
    expect(aws).toContain('StreamName: "clicks"');
  });
});
