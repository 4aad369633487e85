/** Ways to let time pass in steps: a microtask, or a turn of the event loop. */

/** Lets so many microtasks pass. */
export async function microtasks(count: number): Promise<void> {
  for (let passed = 0; passed < count; passed += 1) await Promise.resolve();
}

/** Turns of the event loop, in which messages over ports arrive, and all goes on that needs no time. */
export async function turns(count = 5): Promise<void> {
  for (let passed = 0; passed < count; passed += 1) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
