import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { formatClock } from "../format";
import { show } from "../test/page";
import { SCHEDULE, STATUS } from "../test/samples";

type Answer = { body: unknown; status: number } | "cut";

/** What the server answers, whatever it is asked; null while it is well. */
let outage: Answer | null;
/** Milliseconds that every answer takes. */
let slow: number;
/** How far the server's clock is ahead of the browser's, in milliseconds. */
let ahead: number;

const BODIES: Record<string, (now: string) => unknown> = {
  days: () => ({ days: [], runs: {}, schedules: {}, stored: {} }),
  events: () => ({ cursor: 7, events: [], more: false, newest: 7 }),
  receivers: () => ({ may_test: true, receivers: [] }),
  "runs/active": (now) => ({ next_before: null, now, runs: [] }),
  schedules: (now) => ({
    engines: [],
    group_sizes: {},
    groups: [],
    limit: 50,
    may_create: true,
    now,
    offset: 0,
    schedules: [SCHEDULE],
    tags: [],
    total: 1,
  }),
  status: (now) => ({
    ...STATUS,
    next_runs: [{ ...STATUS.next_runs[0], at: inHours(2), opens_at: null, schedule_id: "wiki" }],
    now,
  }),
  timeline: (now) => ({ lanes: [], now, slots: 2, total: 0, until: now }),
};

const inHours = (hours: number): string => new Date(Date.now() + ahead + hours * 3_600_000 + 500).toISOString();

const respond = async (url: URL): Promise<Response> => {
  await new Promise((resolve) => setTimeout(resolve, slow));
  if (outage === "cut") {
    throw new TypeError("Failed to fetch");
  }
  const path = url.pathname.replace("/air/backup/api/v1/", "");
  const { body, status } = outage ?? {
    body: BODIES[path]?.(new Date(Date.now() + ahead).toISOString()) ?? {},
    status: 200,
  };

  return new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
};

beforeEach(() => {
  [outage, slow, ahead] = [null, 0, 0];
  vi.stubGlobal("fetch", async (url: string) => respond(new URL(url)));
});

afterEach(() => vi.useRealTimers());

const heading = async (name: RegExp | string) => screen.findByRole("heading", { level: 1, name });

const OUTAGES: Record<string, { answer: Answer; why: string }> = {
  "the catalog is gone": {
    answer: {
      body: { detail: "the catalog cannot be reached", hint: "is its database up?", status: 503, title: "Unavailable" },
      status: 503,
    },
    why: "The catalog cannot be reached",
  },
  "the network is cut": { answer: "cut", why: "The server does not answer" },
  "the permission is lost": {
    answer: { body: { detail: "your role may not see backups", status: 403, title: "Forbidden" }, status: 403 },
    why: "Your role may not see backups",
  },
  "the server fails": { answer: { body: "Internal Server Error", status: 500 }, why: "The server answered 500" },
};

describe("the page, when something between it and the truth breaks", () => {
  it.each(Object.entries(OUTAGES))("says what it knows, since when and why: %s", async (_, { answer, why }) => {
    const client = show();

    await heading("Everything is backed up");
    await screen.findByTestId("schedule-wiki");
    outage = answer;
    await act(async () => {
      void client.refetchQueries();
      await Promise.resolve();
    });
    const title = await heading(/^Not updated since \d\d:\d\d:\d\d$/u);
    const hero = title.parentElement?.textContent ?? "";

    expect(hero).toContain(why);
    expect(hero).toContain("At that time: Everything is backed up.");
    expect(document.title).not.toContain("Everything");
    // The list is still there, and says the same of itself.
    await waitFor(() =>
      expect(screen.getByRole("region", { name: "Schedules" }).textContent).toMatch(/Not updated since/u),
    );
    expect(screen.getByTestId("schedule-wiki")).toBeDefined();

    outage = null;
    await act(async () => client.refetchQueries());
    await heading("Everything is backed up");
    expect(screen.queryByText(/Not updated since/u)).toBeNull();
  });

  it.each(Object.entries(OUTAGES))(
    "says so where it never knew anything, and offers to try again: %s",
    async (_, { answer, why }) => {
      outage = answer;
      const client = show();

      client.setDefaultOptions({ queries: { ...client.getDefaultOptions().queries, retry: false } });
      await screen.findByText("The state of your backups could not be loaded", {}, { timeout: 20_000 });
      expect(screen.getAllByText(new RegExp(why, "u")).length).toBeGreaterThan(0);
      expect(screen.queryByText("Everything is backed up")).toBeNull();
      outage = null;
      screen
        .getAllByRole("button", { name: "Try again" })
        .slice(0, 1)
        .forEach((again) => fireEvent.click(again));
      await heading("Everything is backed up");
    },
  );

  it("waits for a slow server, and says nothing before it knows, nor calls it gone", async () => {
    slow = 3_000;
    const client = show();

    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(screen.queryByRole("heading", { level: 1 })).toBeNull();
    await heading("Everything is backed up");
    void client.refetchQueries();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(screen.queryByText(/Not updated since/u)).toBeNull();
    await heading("Everything is backed up");
  });

  it.each([10, -10])("counts and dates by the server's clock, which is %i minutes ahead", async (minutes) => {
    ahead = minutes * 60_000;
    const client = show();

    await heading("Everything is backed up");
    expect(await screen.findByText(/^in 2 h 00 min$|^in 1 h 59 min$/u)).toBeDefined();
    outage = "cut";
    void client.refetchQueries({ queryKey: ["backup", "status"] });
    const title = await heading(/^Not updated since/u);
    const server = Date.now() + ahead;
    const near = Array.from(
      { length: 60 },
      (_, seconds) => `Not updated since ${formatClock(server - seconds * 1000)}`,
    );

    expect(near).toContain(title.textContent);
  });
});
