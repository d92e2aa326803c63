import { describe, expect, it } from "vitest";

import { daysUntil, dayText, monthOf, weeksOf } from "./weeks";

describe("the weeks of a calendar", () => {
  it("begin on Monday, and leave out what is before and after", () => {
    const days = daysUntil("2026-12-01", 10); // from a Sunday to a Tuesday
    const weeks = weeksOf(days);

    expect(weeks).toEqual([
      [null, null, null, null, null, null, 0],
      [1, 2, 3, 4, 5, 6, 7],
      [8, 9, null, null, null, null, null],
    ]);
    expect(dayText(days[0] ?? "")).toBe("Sun, 22 Nov 2026");
    expect(weeks.map((week) => monthOf(week, days))).toEqual(["", "", "Dec"]);
  });

  it("hold every day of a year once", () => {
    const days = daysUntil("2028-03-01", 366);

    expect(weeksOf(days).flat().filter((index) => index !== null)).toEqual(days.map((_, index) => index));
    expect(weeksOf([])).toEqual([]);
  });
});
