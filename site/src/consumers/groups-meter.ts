/** Reads all groups of an engine as they are. */
import {
  type ConsumerGroup,
  type GroupDefinition,
  type GroupDescription,
  type Millrace,
  ResourceNotFoundError,
} from "millrace";

/** One group at one reading. */
export interface GroupReading {
  readonly group: ConsumerGroup;
  readonly description: GroupDescription;
}

/** Keeps the handles of groups from one reading to the next. */
export class GroupsMeter {
  readonly #known = new Map<string, ConsumerGroup>();

  /** All groups by name; one that is deleted meanwhile is left out. */
  async read({ groups }: Millrace): Promise<readonly GroupReading[]> {
    const definitions = await groups.list();
    const readings = await Promise.all(
      definitions.map((definition) => this.#readOne(groups, definition)),
    );
    return readings.filter((one) => one !== undefined);
  }

  async #readOne(
    groups: Millrace["groups"],
    { name, createdMs }: GroupDefinition,
  ): Promise<GroupReading | undefined> {
    try {
      let group = this.#known.get(name);
      if (group?.definition.createdMs !== createdMs) {
        group = await groups.get(name);
        this.#known.set(name, group);
      }
      return { group, description: await group.describe() };
    } catch (error) {
      if (!(error instanceof ResourceNotFoundError)) throw error;
      this.#known.delete(name);
      return undefined;
    }
  }
}
