/** The shared worker that brokers ports between the tabs of an origin. */
import { PortBroker } from "./leader/port-broker.ts";
import { portOf } from "./platform/browser-channels.ts";
import { systemClock } from "./platform/system-clock.ts";

const broker = new PortBroker(systemClock);

globalThis.addEventListener("connect", (event) => {
  const [port] = (event as MessageEvent).ports;
  if (port !== undefined) broker.connect(portOf(port));
});
