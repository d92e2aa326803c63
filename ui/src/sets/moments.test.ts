import { describe, expect, it } from "vitest";

import type { SetSummary } from "../api/types";
import { SET } from "../test/samples";
import { axisOf, keyed, placeAt } from "./moments";

const HOUR = 3_600_000;
const BEGIN = Date.UTC(2026, 10, 21);
const at = (hour: number): number => BEGIN + hour * HOUR;
const iso = (hour: number): string => new Date(at(hour)).toISOString();

const set = (hour: number, change: Partial<SetSummary> = {}): SetSummary => ({
  ...SET,
  consistent_at: iso(hour),
  set_id: String(hour),
  ...change,
});

const LOST = { unrestorable: "it is quarantined" };
const LOG = { kind: "archive_log" } as const;

const stretches = (given: readonly { from: number; until: number }[] | undefined): number[][] | undefined =>
  given?.map(({ from, until }) => [(from - BEGIN) / HOUR, (until - BEGIN) / HOUR]);

describe("all that can be restored", () => {
  it("is nothing where nothing can", () => {
    expect(axisOf({ sets: [], spans: [] }, at(9))).toBeNull();
    expect(axisOf({ sets: [set(0, LOST)], spans: [] }, at(9))).toBeNull();
  });

  it("goes from the first set until now, with a mark for each set", () => {
    const axis = axisOf({ sets: [set(8), set(4), set(0)], spans: [] }, at(10));

    expect(axis).toMatchObject({ from: at(0), gaps: [], marks: [at(0), at(4), at(8)], until: at(10) });
  });

  it("has a gap from a set that is lost to the next one, or until now", () => {
    const sets = [set(0, LOST), set(2), set(4, LOST), set(5, LOST), set(6), set(8, LOST)];
    const axis = axisOf({ sets, spans: [] }, at(9));

    expect(stretches(axis?.gaps)).toEqual([
      [0, 2],
      [4, 6],
      [8, 9],
    ]);
    expect(axis && placeAt(at(4.5), axis)).toMatch(/^the full set of .* cannot be restored$/u);
    expect(axis && placeAt(at(7), axis)).toBe("the set before it comes back");
  });

  it("has a gap where archived logs are lost, and none within those that are there", () => {
    const spans = [
      { since: iso(0), until: iso(2) },
      { since: iso(6), until: iso(8) },
    ];
    const sets = [set(0), set(2, LOG), set(4, { ...LOG, ...LOST }), set(6), set(7, LOST), set(8, LOG)];
    const axis = axisOf({ sets, spans }, at(8));

    expect(stretches(axis?.gaps)).toEqual([[2, 6]]);
    expect(stretches(axis?.spans)).toEqual([
      [0, 2],
      [6, 8],
    ]);
    expect(axis && placeAt(at(1), axis)).toBe("within archived logs");
  });

  it("is gone along by keys: from set to set, by days, to both ends", () => {
    const axis = axisOf({ sets: [set(0), set(30, LOST), set(40), set(70)], spans: [] }, at(80));
    const go = (key: string, hour: number): number | null => {
      const moment = axis && keyed(key, at(hour), axis);

      return moment === null ? null : (moment - BEGIN) / HOUR;
    };

    expect([go("ArrowLeft", 80), go("ArrowLeft", 70), go("ArrowDown", 40), go("ArrowLeft", 0)]).toEqual([70, 40, 0, 0]);
    expect([go("ArrowRight", 0), go("ArrowUp", 69), go("ArrowRight", 70)]).toEqual([40, 70, 80]);
    expect([go("PageDown", 50), go("PageDown", 5), go("PageUp", 40), go("PageUp", 70)]).toEqual([26, 0, 64, 80]);
    expect([go("Home", 50), go("End", 50), go("Tab", 50)]).toEqual([0, 80, null]);
  });
});
