import { ChakraProvider, defaultSystem } from "@chakra-ui/react";
import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { MemoryRouter, Route, Routes } from "react-router-dom";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { createClient } from "../api/queries";
import type { Run, ScheduleSummary, Status } from "../api/types";
import { BROKEN, MAINTENANCE, RUN, SCHEDULE, STATUS, VIEWER } from "../test/samples";
import { Board } from "./Board";

type World = { posts: string[]; runs: Run[]; schedules: ScheduleSummary[]; status: Status | number };

let world: World;

const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status });

const respond = (url: URL, init?: RequestInit): Response => {
  const path = url.pathname.replace("/air/backup/api/v1/", "");

  if (init?.method === "POST") {
    world.posts.push(`${path} ${typeof init.body === "string" ? init.body : ""}`);
    if (path === "schedules/validate") {
      const problem = { field: "repository", hint: null, line: null, message: "`repository` is missing" };

      return json({ definition: null, next_runs: [], problems: [problem], timezone: "UTC", valid: false, warnings: [] });
    }
    if (path === "schedules/bulk") {
      return json({ done: 2, refused: 0, results: [] });
    }

    return json({});
  }
  if (path === "status") {
    return typeof world.status === "number" ? json({ detail: "the catalog does not answer" }, world.status) : json(world.status);
  }
  if (path === "runs/active") {
    return json({ next_before: null, now: STATUS.now, runs: world.runs });
  }
  if (path === "schedules") {
    const isTroubled = url.searchParams.get("state") === "attention";
    const q = url.searchParams.get("q") ?? "";
    const found = world.schedules.filter(({ id, protection }) => id.includes(q) && (!isTroubled || protection.needs_attention));

    return json({ groups: [], limit: 50, may_create: true, now: STATUS.now, offset: 0, schedules: found, tags: [], total: found.length });
  }
  if (path === "timeline") {
    return json({ lanes: [], now: STATUS.now, slots: 2, total: 0, until: "2026-11-22T12:00:00Z" });
  }
  if (path === "days") {
    return json({ days: [], schedules: {} });
  }
  if (path.endsWith("/runs")) {
    return json({ next_before: null, now: STATUS.now, runs: [RUN] });
  }

  return json({ ...SCHEDULE, definition: { id: "wiki" }, repository: "file:///b" });
};

beforeEach(() => {
  world = { posts: [], runs: [], schedules: [SCHEDULE], status: STATUS };
  vi.stubGlobal("fetch", async (url: string, init?: RequestInit) => Promise.resolve(respond(new URL(url), init)));
});

const show = (path = "/plugin/backup"): void => {
  render(
    <ChakraProvider value={defaultSystem}>
      <QueryClientProvider client={createClient()}>
        <MemoryRouter initialEntries={[path]}>
          <Routes>
            <Route element={<Board />} path="plugin/:page/*" />
          </Routes>
        </MemoryRouter>
      </QueryClientProvider>
    </ChakraProvider>,
  );
};

describe("the page", () => {
  it("says in one sentence how everything is", async () => {
    show();
    expect(await screen.findByRole("heading", { level: 1 })).toHaveProperty("textContent", "Everything is backed up");
    expect(screen.queryByText("Needs attention", { selector: "h2" })).toBeNull();
  });

  it("shows a broken schedule with its place and what would be right", async () => {
    world.schedules = [SCHEDULE, BROKEN];
    world.status = { ...STATUS, attention: 1, protection: { ...STATUS.protection, broken: 1 }, total: 2, troubled: 1 };
    show();
    const attention = await screen.findByRole("region", { name: "Needs attention" });

    expect(attention.textContent).toContain("Unknown key crn – did you mean cron?");
    expect(attention.textContent).toContain("schedules.yaml:12:5 · schedules.1.crn");
  });

  it("switches a schedule off", async () => {
    show();
    fireEvent.click(await screen.findByRole("checkbox", { name: "wiki is enabled" }));
    await waitFor(() => expect(world.posts).toEqual(['schedules/wiki/toggle {"enabled":false}']));
  });

  it("runs a schedule now", async () => {
    show();
    fireEvent.click(await screen.findByRole("button", { name: "Run wiki now" }));
    await waitFor(() => expect(world.posts).toEqual(["schedules/wiki/run {}"]));
  });

  it("offers to lift the hold that keeps a schedule from running", async () => {
    const hold = { author: "op", id: 7, kind: "skip_next", reason: null, since: STATUS.now, text: "skip next, by op", until: null };

    world.schedules = [{ ...SCHEDULE, holds: [hold] }];
    show();
    expect(await screen.findByText("Skips next")).toBeDefined();
    fireEvent.click(screen.getByRole("button", { name: "More for wiki" }));
    expect(await screen.findByRole("menuitem", { name: "Do not skip the next run" })).toBeDefined();
    expect(screen.queryByRole("menuitem", { name: "Skip next run" })).toBeNull();
  });

  it("offers maintenance only to those who may begin it", async () => {
    show();
    fireEvent.click(await screen.findByRole("button", { name: "More for all schedules" }));
    expect(await screen.findByRole("menuitem", { name: "Begin maintenance…" })).toBeDefined();
  });

  it("says why nothing starts, and ends the maintenance", async () => {
    world.status = { ...STATUS, maintenance: MAINTENANCE };
    show();
    await screen.findByText(/by ada: the vault moves/u);
    fireEvent.click(screen.getByRole("button", { name: "End maintenance" }));
    await waitFor(() => expect(world.posts).toEqual(['maintenance {"enabled":false}']));
    expect(screen.queryByRole("button", { name: "More for all schedules" })).toBeNull();
  });

  it("does the same to all that are ticked", async () => {
    world.schedules = [SCHEDULE, { ...SCHEDULE, id: "orders" }, BROKEN];
    show();
    fireEvent.click(await screen.findByRole("checkbox", { name: "Choose all schedules" }));
    fireEvent.click(await screen.findByRole("button", { name: "Disable" }));
    await waitFor(() => expect(world.posts).toEqual(['schedules/bulk {"action":"disable","ids":["wiki","orders"]}']));
  });

  it("offers nothing to change of a schedule from a file but a copy", async () => {
    show();
    fireEvent.click(await screen.findByRole("button", { name: "More for wiki" }));
    expect(await screen.findByRole("menuitem", { name: "Clone" })).toBeDefined();
    expect(screen.queryByRole("menuitem", { name: "Edit" })).toBeNull();
    expect(screen.queryByRole("menuitem", { name: "Delete…" })).toBeNull();
  });

  it("saves nothing that the server has not found right", async () => {
    show();
    fireEvent.click(await screen.findByRole("button", { name: "New schedule" }));
    const drawer = await screen.findByRole("dialog", { name: "New schedule" });

    fireEvent.change(within(drawer).getByRole("textbox", { name: /^Id/u }), { target: { value: "made-here" } });
    await waitFor(() => expect(world.posts.some((sent) => sent.includes('"id":"made-here"'))).toBe(true));
    expect(within(drawer).getByRole("button", { name: "Create schedule" })).toHaveProperty("disabled", true);
    expect(world.posts.every((sent) => sent.startsWith("schedules/validate"))).toBe(true);
  });

  it("lets a viewer look and nothing else", async () => {
    world.schedules = [{ ...SCHEDULE, permissions: VIEWER }];
    show();
    expect(await screen.findByText("Read-only")).toBeDefined();
    expect(screen.getByRole("button", { name: "Run wiki now" })).toHaveProperty("disabled", true);
    expect(screen.getByRole("checkbox", { name: "wiki is enabled" })).toHaveProperty("disabled", true);
    expect(screen.queryByRole("button", { name: "More for wiki" })).toBeNull();
    expect(screen.queryByRole("checkbox", { name: "Choose wiki" })).toBeNull();
  });

  it("shows how far a running backup is, and offers to stop it", async () => {
    const progress = { bytes_done: 4_000_000, bytes_total: 10_000_000, eta: 12, files_done: 3, files_total: 9, percent: 40, rate: 500_000, stage: "reading" };

    world.runs = [{ ...RUN, progress, status: "running" }];
    show();
    const running = await screen.findByRole("region", { name: "Running now" });

    expect(running.textContent).toContain("Reading · 40 % · 4.0 MB of 10.0 MB · 500.0 kB/s · 12 s left");
    expect(await within(running).findByRole("button", { name: "Cancel the run of wiki" })).toBeDefined();
  });

  it("opens a schedule's history by its address", async () => {
    show("/plugin/backup/wiki");
    const item = await screen.findByTestId("run");

    expect(item.textContent).toContain("1.0 MB stored of 3.0 MB read");
    expect(item.textContent).toContain("20261121T020000Z-0123456789");
  });

  it("finds schedules by what is typed", async () => {
    world.schedules = [SCHEDULE, { ...SCHEDULE, id: "orders" }];
    show();
    fireEvent.change(await screen.findByRole("searchbox", { name: "Search schedules" }), { target: { value: "ord" } });
    await waitFor(() => expect(screen.queryByTestId("schedule-wiki")).toBeNull());
    expect(screen.getByTestId("schedule-orders")).toBeDefined();
  });

  it("tells how to begin when there is nothing yet", async () => {
    world.schedules = [];
    world.status = { ...STATUS, protection: { ...STATUS.protection, good: 0 }, total: 0 };
    show();
    expect(await screen.findByText(/Put a file schedules.yaml/u)).toBeDefined();
  });

  it("says what failed, and keeps the rest", async () => {
    world.status = 409;
    show();
    expect(await screen.findByText("The state of your backups could not be loaded")).toBeDefined();
    expect(await screen.findByTestId("schedule-wiki")).toBeDefined();
  });
});
