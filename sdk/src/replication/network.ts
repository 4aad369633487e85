/** What the platform says of the network and of the page's end. In Node it says nothing. */
import { refuse } from "../check.ts";

/** Whether there is a network, as far as the platform knows, and how to hear of it. */
export interface NetworkWatch {
  /** False only where the platform is sure that there is none. */
  online(): boolean;
  /** Calls back when it may be there again, and when it is gone. Returns how to end that. */
  onChange(listener: () => void): () => void;
  /** Calls back when the page may be at its end. Returns how to end that. */
  onLeave(listener: () => void): () => void;
}

/** @throws InvalidArgumentError unless the value can be asked about the network. */
export function checkNetwork(argument: string, value: unknown): NetworkWatch {
  const { online, onChange, onLeave } = (value ?? {}) as Partial<NetworkWatch>;
  const limit = "functions online, onChange and onLeave";
  const fits = [online, onChange, onLeave].every((one) => typeof one === "function");
  return fits ? (value as NetworkWatch) : refuse(argument, `an object of ${limit}`, value, limit);
}

type Listen = (kind: string, listener: () => void) => () => void;

const listen: Listen = (kind, listener) => {
  const { addEventListener, removeEventListener } = globalThis as {
    readonly addEventListener?: typeof globalThis.addEventListener;
    readonly removeEventListener?: typeof globalThis.removeEventListener;
  };
  addEventListener?.(kind, listener);
  return () => removeEventListener?.(kind, listener);
};

/** The page's own, or its worker's. */
export const platformNetwork: NetworkWatch = {
  online() {
    const { navigator } = globalThis as { readonly navigator?: { readonly onLine?: boolean } };
    return navigator?.onLine !== false;
  },
  onChange(listener) {
    const ends = [listen("online", listener), listen("offline", listener)];
    return () => {
      for (const end of ends) end();
    };
  },
  onLeave: (listener) => listen("pagehide", listener),
};
