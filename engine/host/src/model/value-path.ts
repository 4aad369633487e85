/** Where in an input a walk through it is at present. */

/** A step into an input: a member's name, a place in a list, or the key of a map. */
export type Step = string | number | { readonly key: string };

/** A path that is only made into text when somebody asks for it. */
export class ValuePath {
  readonly #steps: Step[] = [];

  /** Goes into a part of the present value. */
  enter(step: Step): void {
    this.#steps.push(step);
  }

  /** Comes back from it. */
  leave(): void {
    this.#steps.pop();
  }

  /** The present place as a caller writes it: `Records[3].PartitionKey`. */
  get argument(): string {
    let path = "";
    for (const step of this.#steps) {
      if (typeof step === "number") path += `[${step}]`;
      else path += (path === "" ? "" : ".") + (typeof step === "string" ? step : step.key);
    }
    return path;
  }

  /** The present place as AWS's messages write it: `records.4.member.partitionKey`. */
  get place(): string {
    return this.#steps
      .map((step) => {
        if (typeof step === "string") return step.charAt(0).toLowerCase() + step.slice(1);
        return `${typeof step === "number" ? step + 1 : step.key}.member`;
      })
      .join(".");
  }
}
