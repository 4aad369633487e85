/** Which group the Consumers place shows. */
import { expect, it } from "vitest";
import { selectedName } from "../src/consumers/selection.ts";

it("keeps the group that is shown while others come, and takes the first one when it is gone", () => {
  expect(selectedName([], undefined, undefined)).toBeUndefined();
  expect(selectedName(["b", "c"], undefined, undefined)).toBe("b");
  expect(selectedName(["a", "b", "c"], undefined, "b")).toBe("b");
  expect(selectedName(["a", "c"], undefined, "b")).toBe("a");
  expect(selectedName(["a", "c"], "c", "a")).toBe("c");
  expect(selectedName(["a", "c"], "gone", "a")).toBeUndefined();
});
