/** What the producer of the playground is set to, as the address says it. */
import { type ProducerAddress, producerOf } from "../places/address.ts";
import { parseTemplate, type Template, TemplateError } from "./template.ts";

/** Stream that is made for the playground. */
export const PLAYGROUND_STREAM = "playground";

/** Rates that can be chosen, in user records/s. */
export const RATES_PER_SECOND: readonly number[] = [
  1, 5, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000,
];

const RATE_DEFAULT = 100;
const KEY_DEFAULT = "sensor-{{int(1, 40)}}";
const DATA_DEFAULT = `{
  "id": {{counter}},
  "sensor": "{{uuid}}",
  "city": "{{choice(Bern, Oslo, Lima)}}",
  "celsius": {{float(-5, 35, 1)}},
  "at": "{{time}}"
}`;

/** The texts of a template and what it reads as, or why it does not. */
export interface TemplateField {
  readonly text: string;
  readonly template: Template | undefined;
  readonly problem: string;
}

/** See above. */
export interface PlaygroundSettings {
  readonly streamName: string;
  /** User records per second. */
  readonly ratePerSecond: number;
  readonly aggregation: boolean;
  readonly key: TemplateField;
  readonly data: TemplateField;
}

function fieldOf(text: string): TemplateField {
  try {
    return { text, template: parseTemplate(text), problem: "" };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { text, template: undefined, problem: error.message };
  }
}

/** Settings of an address; what it does not say is as at a first visit. */
export function settingsOf(address: ProducerAddress): PlaygroundSettings {
  const rate = address.ratePerSecond ?? RATE_DEFAULT;
  return {
    streamName: address.stream ?? PLAYGROUND_STREAM,
    ratePerSecond: RATES_PER_SECOND.includes(rate) ? rate : RATE_DEFAULT,
    aggregation: address.aggregation,
    key: fieldOf(address.keyTemplate ?? KEY_DEFAULT),
    data: fieldOf(address.dataTemplate ?? DATA_DEFAULT),
  };
}

/** What a person changes at once. */
export interface SettingsChange {
  readonly streamName?: string;
  readonly ratePerSecond?: number;
  readonly aggregation?: boolean;
  readonly keyText?: string;
  readonly dataText?: string;
}

function unlessDefault<Value>(value: Value, usual: Value): Value | undefined {
  return value === usual ? undefined : value;
}

/** The address with a change; what is as at a first visit is not said. */
export function addressWith(address: ProducerAddress, change: SettingsChange): ProducerAddress {
  const now = settingsOf(address);
  const { streamName = now.streamName, ratePerSecond = now.ratePerSecond } = change;
  const { aggregation = now.aggregation, keyText = now.key.text } = change;
  const { dataText = now.data.text } = change;
  return {
    ...producerOf(unlessDefault(streamName, PLAYGROUND_STREAM)),
    ratePerSecond: unlessDefault(ratePerSecond, RATE_DEFAULT),
    aggregation,
    keyTemplate: unlessDefault(keyText, KEY_DEFAULT),
    dataTemplate: unlessDefault(dataText, DATA_DEFAULT),
  };
}

/** Whether an address says nothing but its place. */
export function isBlank(address: ProducerAddress): boolean {
  const { stream, ratePerSecond, aggregation, keyTemplate, dataTemplate } = address;
  const texts = [stream, ratePerSecond, keyTemplate, dataTemplate];
  return aggregation && texts.every((one) => one === undefined);
}
