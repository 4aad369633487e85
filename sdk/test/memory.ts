/** What the memory still holds, for tests of what is let go of. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** How many of the objects are still there after everything was collected that can be. */
export async function countAlive(objects: readonly WeakRef<object>[]): Promise<number> {
  // What a task looked at through a WeakRef stays until the task's end.
  await new Promise((resolve) => setTimeout(resolve, 20));
  collect();
  return objects.filter((object) => object.deref() !== undefined).length;
}
