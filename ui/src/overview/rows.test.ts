import { describe, expect, it } from "vitest";

import type { Lane } from "../api/types";
import { blocksOf, bundlesOf, usualRows } from "./rows";

const DAY = { now: "2026-11-21T12:00:00Z", until: "2026-11-22T12:00:00Z" };

const lane = (id: string, group: string | null, hour: string, skipped: string | null = null): Lane => {
  const at = `2026-11-21T${hour}:00:00Z`;

  return {
    engine: group === "databases" ? "postgres" : "files",
    expected: 3600,
    group,
    runs: [{ at, kind: "full", opens_at: skipped === null ? at : null, skipped }],
    schedule_id: id,
    timezone: "UTC",
    windows: [],
  };
};

const LANES = [lane("loose", null, "13"), lane("crm", "databases", "18"), lane("orders", "databases", "19")];

describe("the rows of the timeline", () => {
  it("are schedules while they are few, then groups, or engines where there are none", () => {
    expect(usualRows({ lanes: LANES, total: 12 })).toBe("schedule");
    expect(usualRows({ lanes: LANES, total: 13 })).toBe("group");
    expect(usualRows({ lanes: [lane("loose", null, "13")], total: 500 })).toBe("engine");
  });

  it("hold the schedules of a group, those without one last", () => {
    expect(bundlesOf(LANES, "group").map(({ lanes, name }) => [name, lanes.length])).toEqual([
      ["databases", 2],
      ["Without a group", 1],
    ]);
    expect(bundlesOf(LANES, "engine").map(({ name }) => name)).toEqual(["files", "postgres"]);
  });

  it("show as one block what follows each other closely, and nothing that is skipped", () => {
    const [databases] = bundlesOf([...LANES, lane("wiki", "databases", "23", "skip next")], "group");
    const blocks = databases === undefined ? [] : blocksOf(databases, DAY);

    expect(blocks).toHaveLength(1);
    expect(blocks[0]).toMatchObject({ runs: 2, start: 25 });
    expect([...(blocks[0]?.schedules ?? [])]).toEqual(["crm", "orders"]);
    expect(blocks[0]?.end).toBeCloseTo(33.33);
  });

  it("keep 500 schedules in one row", () => {
    const many = Array.from({ length: 500 }, (_, index) => lane(`s${index}`, "many", "18"));
    const [bundle] = bundlesOf(many, "group");

    expect(bundle === undefined ? [] : blocksOf(bundle, DAY)).toHaveLength(1);
  });
});
