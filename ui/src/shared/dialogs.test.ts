import { expect, it } from "vitest";

import { firstUntil, isToCome, untilOf } from "./dialogs";

it("offers a moment of tomorrow, to the minute", () => {
  expect(firstUntil() % 60_000).toBe(0);
  expect(untilOf(firstUntil())).toMatch(/:00\.000Z$/u);
  expect(isToCome(firstUntil())).toBe(true);
  expect(isToCome(Date.now() - 60_000)).toBe(false);
  expect(isToCome(NaN)).toBe(false);
});
