import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";

import type { ConnectionCoverage, ReceiverState, Run, ScheduleSummary, Status } from "../api/types";
import { ENGINES } from "../test/engines";
import { show } from "../test/page";
import { BROKEN, MAINTENANCE, RUN, SCHEDULE, STATUS, VIEWER } from "../test/samples";

type World = {
  posts: string[];
  receivers: ReceiverState[];
  runs: Run[];
  schedules: ScheduleSummary[];
  status: Status | number;
};

let world: World;

const CONNECTIONS: ConnectionCoverage[] = [
  {
    connection_id: "billing",
    engine: "postgres",
    reason: null,
    schedules: [],
    source: { connection: "billing", engine: "postgres" },
    state: "unprotected",
    type: "postgres",
  },
  {
    connection_id: "orders_db",
    engine: "sqlite",
    reason: null,
    schedules: [{ protection: "good", schedule_id: "orders" }],
    source: { connection: "orders_db", engine: "sqlite" },
    state: "protected",
    type: "sqlite",
  },
];

const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status });

const respond = (url: URL, init?: RequestInit): Response => {
  const path = url.pathname.replace("/air/backup/api/v1/", "");

  if (init?.method === "POST") {
    world.posts.push(`${path} ${typeof init.body === "string" ? init.body : ""}`);
    if (path === "schedules/validate") {
      const problem = { field: "repository", hint: null, line: null, message: "`repository` is missing" };

      return json({
        definition: null,
        next_runs: [],
        problems: [problem],
        timezone: "UTC",
        valid: false,
        warnings: [],
      });
    }
    if (path === "receivers/on-call/test") {
      return json({ error: null, hint: null, name: "on-call", sent: true });
    }
    if (path === "schedules/bulk") {
      return json({ done: 2, refused: 0, results: [] });
    }

    return json({});
  }
  if (path === "status") {
    return typeof world.status === "number"
      ? json({ detail: "the catalog does not answer" }, world.status)
      : json(world.status);
  }
  if (path === "runs/active") {
    return json({ next_before: null, now: STATUS.now, runs: world.runs });
  }
  if (path === "schedules") {
    const isTroubled = url.searchParams.get("state") === "attention";
    const q = url.searchParams.get("q") ?? "";
    const found = world.schedules.filter(
      ({ id, protection }) => id.includes(q) && (!isTroubled || protection.needs_attention),
    );

    return json({
      engines: ["files"],
      group_sizes: {},
      groups: [],
      limit: 50,
      may_create: true,
      now: STATUS.now,
      offset: 0,
      schedules: found,
      tags: [],
      total: found.length,
    });
  }
  if (path === "timeline") {
    return json({ lanes: [], now: STATUS.now, slots: 2, total: 0, until: "2026-11-22T12:00:00Z" });
  }
  if (path === "days") {
    return json({ days: [], runs: {}, schedules: {}, stored: {} });
  }
  if (path.endsWith("/trend")) {
    return json({ now: STATUS.now, points: [] });
  }
  if (path === "coverage") {
    return json({
      connections: CONNECTIONS,
      exceptions: 0,
      percent: 50,
      protected: 1,
      unknown_exceptions: [],
      unprotected: 1,
    });
  }
  if (path === "receivers") {
    return json({ may_test: true, receivers: world.receivers });
  }
  if (path === "engines") {
    return json({ engines: ENGINES });
  }
  if (path === "events") {
    return json({ cursor: 7, events: [], more: false, newest: 7 });
  }
  if (path.endsWith("/runs")) {
    return json({ next_before: null, now: STATUS.now, runs: [RUN] });
  }

  return json({ ...SCHEDULE, definition: { id: "wiki" }, repository: "file:///b" });
};

beforeEach(() => {
  world = { posts: [], receivers: [], runs: [], schedules: [SCHEDULE], status: STATUS };
  vi.stubGlobal("fetch", async (url: string, init?: RequestInit) => Promise.resolve(respond(new URL(url), init)));
});

describe("the page", () => {
  it("says in one sentence how everything is", async () => {
    show();
    expect(await screen.findByRole("heading", { level: 1 })).toHaveProperty("textContent", "Everything is backed up");
    expect(screen.queryByText("Needs attention", { selector: "h2" })).toBeNull();
  });

  it("is no longer green as soon as the server does not answer", async () => {
    const client = show();

    await screen.findByRole("heading", { level: 1, name: "Everything is backed up" });
    world.status = 503;
    void client.refetchQueries({ queryKey: ["backup", "status"] });
    const heading = await screen.findByRole("heading", { level: 1, name: /^Not updated since \d\d:\d\d:\d\d$/u });

    expect(heading.parentElement?.textContent).toContain("At that time: Everything is backed up.");
    world.status = STATUS;
    await screen.findByRole("heading", { level: 1, name: "Everything is backed up" }, { timeout: 5000 });
  });

  it("shows all again when it is asked to, whatever was typed", async () => {
    show();
    await screen.findByRole("checkbox", { name: "wiki is enabled" });
    const field = screen.getByRole("searchbox", { name: "Search schedules" });

    fireEvent.change(field, { target: { value: "nothing like it" } });
    fireEvent.click(await screen.findByRole("button", { name: "Show all" }));
    await screen.findByRole("checkbox", { name: "wiki is enabled" });
    expect(field).toHaveProperty("value", "");
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(screen.queryByText("No schedule matches")).toBeNull();
  });

  it("lives with a percent sign in the address", async () => {
    show("/plugin/backup/%25");
    expect(await screen.findByRole("heading", { hidden: true, level: 1 })).toHaveProperty(
      "textContent",
      "Everything is backed up",
    );
  });

  it("asks before it throws away what was typed", async () => {
    show();
    fireEvent.click(await screen.findByRole("button", { name: "New schedule" }));
    const name = await screen.findByRole("textbox", { name: /^Name|^Id/u });

    fireEvent.change(name, { target: { value: "orders" } });
    fireEvent.click(screen.getByRole("button", { name: "Close" }));
    const dialog = await screen.findByRole("dialog", { name: "Discard what you typed?" });

    fireEvent.click(within(dialog).getByRole("button", { name: "Cancel" }));
    expect(screen.getByDisplayValue("orders")).toBeDefined();
  });

  it("asks before it starts many backups, and names them", async () => {
    world.schedules = [SCHEDULE, { ...SCHEDULE, id: "orders" }];
    show();
    for (const id of ["wiki", "orders"]) {
      fireEvent.click(await screen.findByRole("checkbox", { name: `Choose ${id}` }));
    }
    fireEvent.click(await screen.findByRole("button", { name: "Run now" }));
    await screen.findByText("Run now: 2 schedules");
    expect(screen.getByText("wiki, orders")).toBeDefined();
    expect(world.posts).toEqual([]);
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

  it("offers to run a schedule with a note", async () => {
    show();
    fireEvent.click(await screen.findByRole("button", { name: "More for wiki" }));
    expect(await screen.findByRole("menuitem", { name: "Run now with a note…" })).toBeDefined();
  });

  it("offers to lift the hold that keeps a schedule from running", async () => {
    const hold = {
      author: "op",
      id: 7,
      kind: "skip_next",
      reason: null,
      since: STATUS.now,
      text: "skip next, by op",
      until: null,
    };

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
    fireEvent.click(await screen.findByRole("button", { name: "More for all schedules" }));
    await screen.findByRole("menuitem", { name: "Export all" });
    expect(screen.queryByRole("menuitem", { name: "Begin maintenance…" })).toBeNull();
  });

  it("does the same to all that are ticked", async () => {
    world.schedules = [SCHEDULE, { ...SCHEDULE, id: "orders" }, BROKEN];
    show();
    fireEvent.click(await screen.findByRole("checkbox", { name: "Choose all schedules" }));
    fireEvent.click(await screen.findByRole("button", { name: "Disable" }));
    const dialog = await screen.findByRole("dialog", { name: "Disable: 2 schedules" });

    fireEvent.click(within(dialog).getByRole("button", { name: "Disable" }));
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

    fireEvent.change(await within(drawer).findByRole("textbox", { name: /^Id/u }), {
      target: { value: "made-here" },
    });
    await waitFor(() => expect(world.posts.some((sent) => sent.includes('"id":"made-here"'))).toBe(true));
    expect(within(drawer).getByRole("button", { name: "Create schedule" })).toHaveProperty("disabled", true);
    expect(world.posts.every((sent) => sent.startsWith("schedules/validate"))).toBe(true);
  });

  it("says what no schedule protects, and begins a schedule for it with one click", async () => {
    world.status = { ...STATUS, coverage: { total: 2, unprotected: 1 } };
    show();
    const panel = await screen.findByRole("region", { name: "Not protected" });

    expect(await within(panel).findByText("1 of 2 databases is unprotected")).toBeDefined();
    expect(within(panel).queryByText("orders_db")).toBeNull();
    fireEvent.click(await within(panel).findByRole("button", { name: "Protect billing" }));
    const drawer = await screen.findByRole("dialog", { name: "New schedule" });

    expect(await within(drawer).findByRole("textbox", { name: /^Id/u })).toHaveProperty("value", "billing");
    expect(drawer.querySelector('input[name="source.connection"]')).toHaveProperty("value", "billing");
    await waitFor(() => expect(world.posts.some((sent) => sent.includes('"connection":"billing"'))).toBe(true));
  });

  it("asks for no connections where all are protected, or the user may not read them", async () => {
    world.status = { ...STATUS, coverage: { total: 2, unprotected: 0 } };
    show();
    expect(await screen.findByRole("button", { name: "New schedule" })).toBeDefined();
    expect(screen.queryByRole("region", { name: "Not protected" })).toBeNull();
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
    const progress = {
      bytes_done: 4_000_000,
      bytes_total: 10_000_000,
      eta: 12,
      files_done: 3,
      files_total: 9,
      percent: 40,
      rate: 500_000,
      stage: "reading",
    };

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

  it("says why a schedule waits for the one that it runs after", async () => {
    const rhythms = [{ kind: "full" as const, text: "When crm has completed", when: "after crm" }];

    world.schedules = [{ ...SCHEDULE, next_run: null, rhythms, waits: "waits: upstream crm failed 10 minutes ago" }];
    show();
    expect(await screen.findByText(/upstream crm failed 10 minutes ago/u)).toBeDefined();
  });

  it("shows who is told, what waits and why, and sends a test message", async () => {
    world.receivers = [
      {
        delivered_at: null,
        digest: null,
        digest_at: null,
        error: "the mail server cannot be reached",
        failures: 2,
        last_undeliverable: "'wiki: the backup failed': 554 no",
        last_undeliverable_at: "2026-11-21T02:00:00Z",
        name: "on-call",
        next_try_at: null,
        schedules: ["wiki"],
        undeliverable: 1,
        waiting: 3,
        way: "mail to ops@example.org",
      },
    ];
    show();
    expect(await screen.findByText("Not told at the moment: on-call")).toBeDefined();
    expect(await screen.findByText(/3 waiting: the mail server cannot be reached/u)).toBeDefined();
    expect(await screen.findByText(/1 never told.*'wiki: the backup failed': 554 no/u)).toBeDefined();
    fireEvent.click(await screen.findByRole("button", { name: "Send a test message to on-call" }));
    await waitFor(() => expect(world.posts).toEqual(["receivers/on-call/test {}"]));
  });

  it("says what failed, and keeps the rest", async () => {
    world.status = 409;
    show();
    expect(await screen.findByText("The state of your backups could not be loaded")).toBeDefined();
    expect(await screen.findByTestId("schedule-wiki")).toBeDefined();
  });
});
