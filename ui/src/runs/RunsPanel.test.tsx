import { ChakraProvider, defaultSystem } from "@chakra-ui/react";
import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { createClient } from "../api/refresh";
import { RUN } from "../test/samples";
import { EVERY_RUN, queryOf, type RunChoice, runChoice, RunsPanel } from "./RunsPanel";

const ALL = EVERY_RUN;

const PAGES: Record<string, unknown> = {
  "": {
    next_cursor: "further",
    now: RUN.since,
    runs: [
      { ...RUN, run_id: "r3", schedule_id: "wiki" },
      {
        ...RUN,
        error: "no room left",
        hint: "is the disk full?",
        run_id: "r2",
        schedule_id: "orders",
        status: "failed",
      },
    ],
  },
  further: { next_cursor: null, now: RUN.since, runs: [{ ...RUN, run_id: "r1", schedule_id: "crm" }] },
};

let asked: URLSearchParams[];
let changes: Partial<RunChoice>[];
let opened: string[];

beforeEach(() => {
  asked = [];
  changes = [];
  opened = [];
  vi.stubGlobal("fetch", async (url: string) => {
    const search = new URL(url).searchParams;

    asked.push(search);

    return Promise.resolve(new Response(JSON.stringify(PAGES[search.get("cursor") ?? ""])));
  });
});

const show = (choice: RunChoice = ALL) =>
  render(
    <ChakraProvider value={defaultSystem}>
      <QueryClientProvider client={createClient()}>
        <RunsPanel
          active={[]}
          choice={choice}
          facets={{ engines: ["files", "sqlite"], groups: ["databases"] }}
          onChange={(change) => changes.push(change)}
          onOpen={(id) => opened.push(id)}
        />
      </QueryClientProvider>
    </ChakraProvider>,
  );

describe("the runs of all schedules", () => {
  it("are shown with what failed and what to do, and lead to their schedule", async () => {
    show();
    const list = await screen.findByRole("list", { name: "Runs of all schedules" });

    expect(
      within(list)
        .getAllByTestId("run")
        .map((item) => item.dataset.status),
    ).toEqual(["completed", "failed"]);
    expect(list.textContent).toContain("No room left");
    expect(list.textContent).toContain("disk full?");
    fireEvent.click(within(list).getByRole("button", { name: "orders" }));
    expect(opened).toEqual(["orders"]);
  });

  it("go on where the page before ended", async () => {
    show();
    fireEvent.click(await screen.findByRole("button", { name: "Show older runs" }));
    await waitFor(() => expect(screen.getAllByTestId("run")).toHaveLength(3));
    expect(asked.map((search) => search.get("cursor"))).toEqual([null, "further"]);
    expect(screen.queryByRole("button", { name: "Show older runs" })).toBeNull();
  });

  it("are narrowed, and exported as they are shown", async () => {
    show({ ...ALL, q: "db", status: "failed", trigger: "schedule" });
    const link = await screen.findByRole("link", { name: "CSV" });
    const search = new URL((link as HTMLAnchorElement).href).searchParams;

    expect(Object.fromEntries(search)).toEqual({ q: "db", status: "failed", trigger: "schedule" });
    expect(asked[0]?.get("status")).toBe("failed");
    fireEvent.change(screen.getByRole("combobox", { name: "Result" }), { target: { value: "skipped" } });
    fireEvent.change(screen.getByRole("combobox", { name: "Group" }), { target: { value: "databases" } });
    fireEvent.change(screen.getByRole("combobox", { name: "Engine" }), { target: { value: "sqlite" } });
    fireEvent.change(screen.getByRole("combobox", { name: "Kind" }), { target: { value: "incremental" } });
    expect(changes).toEqual([
      { status: "skipped" },
      { group: "databases" },
      { source: "sqlite" },
      { kind: "incremental" },
    ]);
  });

  it("say what to do where none is found", async () => {
    PAGES.none = PAGES[""];
    PAGES[""] = { next_cursor: null, now: RUN.since, runs: [] };
    show({ ...ALL, status: "failed" });
    fireEvent.click(await screen.findByRole("button", { name: "Show all" }));
    expect(changes).toEqual([ALL]);
    PAGES[""] = PAGES.none;
  });
});

describe("the address", () => {
  it("narrows nothing by what nobody knows", () => {
    expect(runChoice(new URLSearchParams("status=odd&trigger=toString&period=1y&q=x"))).toEqual({ ...ALL, q: "x" });
    expect(runChoice(new URLSearchParams("status=failed&trigger=manual&period=7d&kind=full&group=a"))).toEqual({
      ...ALL,
      group: "a",
      kind: "full",
      period: "7d",
      status: "failed",
      trigger: "manual",
    });
  });

  it("asks the same for an hour", () => {
    const now = Date.parse("2026-11-29T10:59:59Z");

    expect(queryOf({ ...ALL, period: "24h" }, now).after).toBe("2026-11-28T10:00:00.000Z");
    expect(queryOf({ ...ALL, period: "24h" }, now - 3_000_000)).toEqual(queryOf({ ...ALL, period: "24h" }, now));
    expect(queryOf(ALL, now).after).toBe("");
  });
});
