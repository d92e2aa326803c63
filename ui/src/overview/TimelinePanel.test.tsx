import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Lane } from "../api/types";
import { draw } from "../test/page";
import { TimelinePanel } from "./TimelinePanel";

const NOW = "2026-11-21T12:00:00Z";

const lane = (id: string, group: string | null): Lane => ({
  engine: "files",
  expected: 3600,
  group,
  runs: [{ at: "2026-11-21T18:00:00Z", kind: "full", opens_at: "2026-11-21T18:00:00Z", skipped: null }],
  schedule_id: id,
  timezone: "UTC",
  windows: [],
});

let lanes: Lane[];
let asked: string[];

beforeEach(() => {
  asked = [];
  vi.stubGlobal("fetch", async (url: string) => {
    const { searchParams } = new URL(url);
    const hours = Number(searchParams.get("hours"));
    const until = new Date(Date.parse(NOW) + hours * 3_600_000).toISOString();
    const some = lanes.slice(0, Number(searchParams.get("lanes")));

    asked.push(searchParams.toString());

    return Promise.resolve(
      new Response(JSON.stringify({ lanes: some, now: NOW, slots: 1000, total: lanes.length, until })),
    );
  });
});
afterEach(() => localStorage.clear());

describe("the timeline", () => {
  it("looks a week ahead when it is asked to, and the next time again", async () => {
    lanes = [lane("wiki", null)];
    draw(<TimelinePanel onOpen={vi.fn()} stale={null} />);
    await screen.findByRole("region", { name: "The next 24 hours" });
    fireEvent.click(screen.getByRole("button", { name: "7 d" }));
    expect(await screen.findByRole("region", { name: "The next 7 days" })).toBeDefined();
    await waitFor(() => expect(asked).toEqual(["hours=24&lanes=40", "hours=168&lanes=40"]));
    expect(localStorage.getItem("airflow-backup timeline span")).toBe("7d");
  });

  it("puts hundreds of schedules together by their groups, and opens one", async () => {
    lanes = Array.from({ length: 500 }, (_, index) => lane(`s${index}`, `group ${index % 3}`));
    const open = vi.fn();

    draw(<TimelinePanel onOpen={open} stale={null} />);
    const group = await screen.findByRole("button", { name: /^group 1\s+167\s+schedules$/u });

    expect(asked).toEqual(["hours=24&lanes=40", "hours=24&lanes=500"]);
    expect(screen.queryByTestId("lane-s1")).toBeNull();
    expect(screen.getByTestId("bundle-group 1").textContent).toContain("group 1 167");
    expect(
      within(screen.getByTestId("bundle-group 1")).getByRole("img", { name: /167 runs of 167 schedules/u }),
    ).toBeDefined();
    fireEvent.click(group);
    fireEvent.click(await screen.findByRole("button", { name: "s1" }));
    expect(open).toHaveBeenCalledWith("s1");
    expect(screen.getByText("and 127 that run later")).toBeDefined();
  });
});
