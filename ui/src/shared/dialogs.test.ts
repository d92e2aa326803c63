import { afterEach, beforeEach, expect, it } from "vitest";

import { formatIn, pageInput } from "../format";
import { firstUntil, isToCome, untilOf } from "./dialogs";

beforeEach(() => localStorage.setItem("timezone", JSON.stringify("Asia/Tokyo")));
afterEach(() => localStorage.clear());

it("takes what is typed for the clock of the page, whatever the browser's is", () => {
  expect(untilOf("2027-01-05T09:00")).toBe("2027-01-05T00:00:00.000Z");
  expect(formatIn(untilOf("2027-01-05T09:00"), "Asia/Tokyo")).toContain("09:00");
});

it("offers a moment of tomorrow that reads the same when it is shown", () => {
  expect(pageInput(Date.parse(untilOf(firstUntil())))).toBe(firstUntil());
  expect(isToCome(firstUntil())).toBe(true);
  expect(isToCome(pageInput(Date.now() - 60_000))).toBe(false);
  expect(isToCome("")).toBe(false);
});
