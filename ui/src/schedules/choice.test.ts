import { describe, expect, it } from "vitest";

import { listState } from "./choice";

describe("the state in an address", () => {
  it.each([
    ["late", "late"],
    ["attention", "attention"],
    ["waiting", ""],
    [null, ""],
  ])("%s narrows the list to: %s", (given, expected) => expect(listState(given)).toBe(expected));
});
