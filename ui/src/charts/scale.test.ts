import { describe, expect, it } from "vitest";

import { type Measure, median, ticksTo, tickText } from "./scale";

const lines = (largest: number, measure: Measure): string[] =>
  ticksTo(largest, measure).map((value) => tickText(value, measure));

describe("the lines of a chart", () => {
  it.each<[number, Measure, string[]]>([
    [41, "duration", ["0", "30 s", "1 min"]],
    [0.8, "duration", ["0", "0.5 s", "1 s"]],
    [71 * 60, "duration", ["0", "1 h", "2 h"]],
    [20 * 60, "duration", ["0", "10 min", "20 min"]],
    [3 * 86_400, "duration", ["0", "2 d", "4 d"]],
    [389e9, "bytes", ["0", "200 GB", "400 GB"]],
    [1.2e12, "bytes", ["0", "1 TB", "2 TB"]],
    [900, "bytes", ["0", "500 B", "1 kB"]],
    [1, "bytes", ["0", "1 B", "2 B"]],
    [0.034, "share", ["0", "2 %", "4 %"]],
    [1, "share", ["0", "50 %", "100 %"]],
    [0, "bytes", ["0", "1 B", "2 B"]],
  ])("up to %s %s are %s", (largest, measure, expected) => expect(lines(largest, measure)).toEqual(expected));

  it.each([0.01, 0.3, 7, 59, 61, 3599, 5000, 1e5, 1e7, 123_456_789])("hold %s", (largest) => {
    for (const measure of ["bytes", "duration", "share"] as const) {
      expect(ticksTo(largest, measure).at(-1)).toBeGreaterThanOrEqual(largest * 0.999);
    }
  });
});

it("the middle of values is that of the two in the middle", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNull();
});
