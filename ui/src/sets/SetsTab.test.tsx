import { ChakraProvider, defaultSystem } from "@chakra-ui/react";
import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { createClient } from "../api/refresh";
import type { RecoveryPlan, SetSummary } from "../api/types";
import { SCHEDULE, VIEWER } from "../test/samples";
import { SetsTab } from "./SetsTab";

const SET: SetSummary = {
  base: null,
  bytes_read: 3_000_000,
  bytes_stored: 1_000_000,
  consistent_at: "2026-11-21T02:00:00Z",
  engine: "files",
  files: 12,
  finished_at: "2026-11-21T02:00:42Z",
  host: null,
  kind: "full",
  locked_until: null,
  parent: null,
  pinned: false,
  set_id: "20261121T020000Z-0123456789",
  state: "good",
  unrestorable: null,
  verified_at: "2026-11-21T02:01:00Z",
  verified_level: "standard",
  verified_outcome: "passed",
  warnings: 0,
};
const DAMAGED: SetSummary = {
  ...SET,
  set_id: "20261120T020000Z-0123456789",
  state: "quarantined",
  verified_outcome: "failed",
};

let plan: RecoveryPlan;
let posts: string[];

const respond = (url: URL, init?: RequestInit): Response => {
  const path = url.pathname.replace("/air/backup/api/v1/", "");

  if (init?.method === "POST") {
    posts.push(`${path} ${typeof init.body === "string" ? init.body : ""}`);

    return json({ dag_id: "backup_restore", run_id: "manual__1", schedule_id: "wiki" });
  }
  if (path.endsWith("/recovery-path")) {
    return json(plan);
  }
  if (path.endsWith("/retention")) {
    const verdict = {
      bytes_stored: 1,
      consistent_at: SET.consistent_at,
      kept: true,
      kind: "full",
      reasons: ["day 1 of 14"],
      set_id: SET.set_id,
    };

    return json({
      bytes_kept: 1,
      bytes_removed: 1_000_000,
      policy: { daily: 14 },
      refused: null,
      removed: 1,
      schedule_id: "wiki",
      sets: [verdict],
      tried: false,
    });
  }

  if (path.endsWith("places")) {
    return json({ places: [] });
  }

  return json({ bytes_stored: 2_000_000, schedule_id: "wiki", sets: [SET, DAMAGED], total: 2 });
};

const json = (body: unknown): Response => new Response(JSON.stringify(body), { status: 200 });

const show = (schedule = SCHEDULE): void => {
  render(
    <ChakraProvider value={defaultSystem}>
      <QueryClientProvider client={createClient()}>
        <SetsTab schedule={schedule} />
      </QueryClientProvider>
    </ChakraProvider>,
  );
};

beforeEach(() => {
  posts = [];
  plan = {
    at: "2026-11-21T12:00:00Z",
    bytes_to_read: 1_000_000,
    command: "airflow-backup restore wiki --at 2026-11-21T12:00:00+00:00 --to TARGET",
    consistent_at: "2026-11-21T02:00:00Z",
    earliest: null,
    gaps: [],
    measured: true,
    schedule_id: "wiki",
    seconds: 61,
    sets: [SET],
    takes_paths: true,
  };

  vi.stubGlobal("fetch", async (input: RequestInfo | URL, init?: RequestInit) =>
    Promise.resolve(respond(new URL(input instanceof Request ? input.url : input.toString()), init)),
  );
});

describe("sets and restore", () => {
  it("says what is proven of each set, and what keeps it", async () => {
    show();
    const [good, damaged] = await screen.findAllByTestId("set");

    expect(good?.textContent).toContain("Verified: every byte read");
    await waitFor(() => expect(good?.textContent).toContain("Kept: day 1 of 14"));
    expect(damaged?.textContent).toContain("Damaged");
    expect(screen.getByText(/The next prune removes 1 set, 1.0 MB/u)).toBeDefined();
  });

  it("restores only when the id was typed", async () => {
    show();
    expect(await screen.findByText(/takes about 1 min 01 s \(as measured\)/u)).toBeDefined();
    fireEvent.click(screen.getByRole("button", { name: "Restore …" }));
    const dialog = within(await screen.findByRole("dialog"));
    const button = dialog.getByRole("button", { name: "Restore" });

    expect(button).toHaveProperty("disabled", true);
    fireEvent.change(dialog.getByLabelText("Type wiki to confirm"), { target: { value: "wiki" } });
    await waitFor(() => expect(button).toHaveProperty("disabled", false));
    fireEvent.click(button);
    await waitFor(() => expect(posts).toHaveLength(1));
    expect(posts[0]).toContain("sets/20261121T020000Z-0123456789/restore");
    expect(posts[0]).toContain('"confirm":"wiki"');
  });

  it("says in red why a moment does not come back", async () => {
    plan = {
      ...plan,
      consistent_at: null,
      earliest: SET.consistent_at,
      gaps: ["there is no set of that moment or before"],
      sets: [],
    };
    show();
    expect(await screen.findByText("there is no set of that moment or before")).toBeDefined();
    expect(screen.queryByRole("button", { name: "Restore …" })).toBeNull();
  });

  it("lets a viewer look and nothing else", async () => {
    show({ ...SCHEDULE, permissions: VIEWER });
    expect(await screen.findAllByTestId("set")).toHaveLength(2);
    await screen.findByText(/Comes back as of/u);
    expect(screen.queryByRole("button", { name: /Verify set/u })).toBeNull();
    expect(screen.queryByRole("button", { name: "Restore …" })).toBeNull();
  });
});
