import { afterEach, describe, expect, it } from "vitest";

import type { Lane, NextRun } from "../api/types";
import { pageInput } from "../format";
import { barsOf, crowd, shareOf, ticksOf } from "./timeline";

afterEach(() => localStorage.clear());

const DAY = { now: "2026-11-21T12:00:00Z", until: "2026-11-22T12:00:00Z" };
const run = (at: string, more: Partial<NextRun> = {}): NextRun => ({
  at,
  kind: "full",
  opens_at: at,
  skipped: null,
  ...more,
});
const lane = (runs: NextRun[], expected: number | null = null): Lane => ({
  engine: "files",
  expected,
  group: null,
  runs,
  schedule_id: "wiki",
  timezone: "UTC",
  windows: [],
});

describe("the timeline", () => {
  it("places a moment by its share of the day", () => expect(shareOf("2026-11-21T18:00:00Z", DAY)).toBe(25));

  it("makes a bar as long as the run is expected to take", () => {
    const [bar] = barsOf(lane([run("2026-11-21T18:00:00Z")], 7200), DAY);

    expect(bar?.start).toBe(25);
    expect(bar?.end).toBeCloseTo(33.33);
  });

  it("joins runs that follow each other closely, but never one that is skipped", () => {
    const every = ["00", "01", "02", "03"].map((minute) => run(`2026-11-21T18:${minute}:00Z`));
    const bars = barsOf(lane([...every, run("2026-11-21T18:04:00Z", { opens_at: null, skipped: "skip next" })]), DAY);

    expect(bars.map(({ count }) => count)).toEqual([4, 1]);
  });

  it("shows from when a run waits for its window", () => {
    const [bar] = barsOf(lane([run("2026-11-21T18:00:00Z", { opens_at: "2026-11-22T00:00:00Z" })]), DAY);

    expect(bar).toMatchObject({ start: 50, waitsFrom: 25 });
  });

  it("tells when more are due than may run", () => {
    const lanes = [0, 1, 2].map(() => lane([run("2026-11-21T18:00:00Z")], 60));

    expect(crowd({ ...DAY, lanes, slots: 2, total: 3 })).toEqual({ at: "2026-11-21T18:00:00.000Z", count: 3 });
    expect(crowd({ ...DAY, lanes, slots: 3, total: 3 })).toBeNull();
  });

  it("marks full hours inside the day", () => {
    const ticks = ticksOf(DAY);

    expect(ticks.length).toBeGreaterThanOrEqual(7);
    expect(ticks.every(({ share }) => share > 0 && share < 100)).toBe(true);
  });

  it.each(["UTC", "Asia/Kathmandu", "Asia/Kolkata", "Australia/Lord_Howe", "America/New_York"])(
    "marks full hours of %s",
    (zone) => {
      localStorage.setItem("timezone", JSON.stringify(zone));
      for (const now of ["2026-03-07T12:34:56Z", "2026-04-04T12:20:00Z", "2026-10-31T12:00:00Z"]) {
        const until = new Date(Date.parse(now) + 86_400_000).toISOString();
        const hours = ticksOf({ now, until }).map(({ at }) => pageInput(Date.parse(at)).slice(11));

        expect(hours.length).toBeGreaterThanOrEqual(7);
        expect(hours.every((hour) => /^(?:00|03|06|09|12|15|18|21):00$/u.test(hour))).toBe(true);
      }
    },
  );
});
