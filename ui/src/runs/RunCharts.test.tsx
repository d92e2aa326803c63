import { fireEvent, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { DayStrips, TrendPoint } from "../api/types";
import { draw } from "../test/page";
import { chartsOf, successText } from "./figures";
import { RunCharts } from "./RunCharts";

const point = (number: number, change: Partial<TrendPoint> = {}): TrendPoint => ({
  bytes_read: 3_000_000,
  bytes_stored: 1_000_000,
  change: null,
  duration: 40 + number,
  kind: "full",
  run_id: `r${number}`,
  since: `2026-11-2${number}T02:00:00Z`,
  status: "completed",
  ...change,
});

const FAILED = point(2, { bytes_read: null, bytes_stored: null, duration: 3, status: "failed" });
const INCREMENTAL = point(3, { bytes_stored: 50_000, change: 0.05, kind: "incremental" });
const POINTS = [point(1), FAILED, INCREMENTAL];

const DAYS: DayStrips = {
  days: ["2026-11-20", "2026-11-21", "2026-11-22"],
  runs: { wiki: [0, 1, 2] },
  schedules: { wiki: [null, "completed", "failed"] },
  stored: { wiki: [null, 1_000_000, null] },
};

beforeEach(() => {
  localStorage.setItem("timezone", JSON.stringify("UTC"));
  vi.stubGlobal("fetch", async (url: string) =>
    Promise.resolve(
      new Response(JSON.stringify(url.includes("/trend") ? { now: DAYS.days[0], points: POINTS } : DAYS)),
    ),
  );
});
afterEach(() => localStorage.clear());

describe("the charts of a schedule", () => {
  it("say each run to a keyboard, and mark what failed", async () => {
    draw(<RunCharts id="wiki" />);
    const chart = await screen.findByRole("slider", { name: "Duration" });

    expect(chart.getAttribute("aria-valuetext")).toContain("incremental: completed, 43 s");
    fireEvent.keyDown(chart, { key: "ArrowLeft" });
    expect(chart.getAttribute("aria-valuetext")).toContain("failed, 3.0 s");
    expect(screen.getByText(/failed, 3.0 s$/u)).toBeDefined();
    expect(within(chart).getAllByText("×")).toHaveLength(1);
    fireEvent.keyDown(chart, { key: "Escape" });
    expect(screen.queryByText(/failed, 3.0 s$/u)).toBeNull();
    expect(screen.getByText("2 of the last 3 runs completed (67 %)")).toBeDefined();
  });

  it("say each day of the year", async () => {
    draw(<RunCharts id="wiki" />);
    const year = await screen.findByRole("slider", { name: "Each day of the past year of wiki" });

    expect(year.getAttribute("aria-valuetext")).toBe("Sun, 22 Nov 2026: failed, 2 runs");
    fireEvent.keyDown(year, { key: "ArrowUp" });
    expect(year.getAttribute("aria-valuetext")).toBe("Sat, 21 Nov 2026: completed, 1 run, 1.0 MB stored");
    fireEvent.keyDown(year, { key: "Home" });
    expect(year.getAttribute("aria-valuetext")).toBe("Fri, 20 Nov 2026: no run");
  });

  it("are a table for those who want figures, and stay hidden where they were hidden", async () => {
    draw(<RunCharts id="wiki" />);
    fireEvent.click(await screen.findByRole("button", { name: "The same as a table" }));
    const table = screen.getByRole("table", { name: "The last runs of wiki in figures" });

    expect(within(table).getAllByRole("row")[1]?.textContent).toContain("incrementalCompleted43 s3.0 MB50.0 kB5 %");
    fireEvent.click(screen.getByRole("button", { name: "Hide charts" }));
    expect(screen.queryByRole("slider")).toBeNull();
    expect(localStorage.getItem("airflow-backup charts")).toBe("hidden");
  });
});

describe("figures", () => {
  it("tell what changed where there are incrementals, else how small it became", () => {
    expect(chartsOf(POINTS)[2]).toMatchObject({ note: "5 % in the middle", title: "Changed since the full before" });
    expect(chartsOf([point(1), point(2)])[2]).toMatchObject({
      note: "33 % in the middle",
      title: "Stored of what was read",
    });
  });

  it("do not count what was skipped", () => {
    expect(successText([point(1, { status: "skipped" })])).toBe("none of the last runs began");
    expect(successText([point(1), point(2, { status: "skipped" })])).toBe("1 of the last 1 run completed (100 %)");
  });
});
