import { ChakraProvider, defaultSystem } from "@chakra-ui/react";
import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { createClient } from "../api/refresh";
import type {
  RecoveryPlan,
  RequestedRun,
  SetDetail,
  SetPermissions,
  SetSummary,
  VerificationNote,
} from "../api/types";
import { PROGRESS, REQUEST, SCHEDULE, SET, VIEWER } from "../test/samples";
import { SetsTab } from "./SetsTab";

const DAMAGED: SetSummary = {
  ...SET,
  set_id: "20261120T020000Z-0123456789",
  state: "quarantined",
  verified_outcome: "failed",
};

const MAY_ALL: SetPermissions = { lock: true, pin: true, restore: true, verify: true };
const MAY_NOTHING: SetPermissions = { lock: false, pin: false, restore: false, verify: false };

let detail: SetDetail;
let permissions: SetPermissions;
let plan: RecoveryPlan;
let posts: string[];
let refusal: { detail: string; hint: string } | null;
let requests: RequestedRun[];
let sets: SetSummary[];

const respond = (url: URL, init?: RequestInit): Response => {
  const path = url.pathname.replace("/air/backup/api/v1/", "");

  if (init?.method === "POST") {
    posts.push(`${path} ${typeof init.body === "string" ? init.body : ""}`);
    if (refusal !== null) {
      return new Response(JSON.stringify(refusal), { status: 409 });
    }

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

  if (path.endsWith("requests")) {
    return json({ now: "2026-11-21T12:00:00Z", runs: requests });
  }
  if (path.startsWith("sets/")) {
    return json(detail);
  }

  return json({ bytes_stored: 2_000_000, permissions, schedule_id: "wiki", sets, spans: [], total: sets.length });
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
  [permissions, posts, refusal, requests, sets] = [MAY_ALL, [], null, [], [SET, DAMAGED]];
  detail = {
    ...SET,
    chain: [SET],
    counts: {},
    notes: [],
    pieces: [
      { checksum: "x", name: "files.tar.0", size: 900_000, stream: "files.tar" },
      { checksum: "x", name: "index.0", size: 100_000, stream: "index" },
    ],
    run_id: "scheduled__1",
    schedule_id: "wiki",
    verifications: [],
  };
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
    const guide = within(screen.getByRole("region", { name: "Restore" }));
    const button = guide.getByRole("button", { name: "Restore" });

    expect(button).toHaveProperty("disabled", true);
    fireEvent.change(guide.getByLabelText("Type wiki to confirm"), { target: { value: "wiki" } });
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
    permissions = MAY_NOTHING;
    show({ ...SCHEDULE, permissions: VIEWER });
    expect(await screen.findAllByTestId("set")).toHaveLength(2);
    await screen.findByText(/Comes back as of/u);
    await open();
    expect(screen.queryByRole("button", { name: /(?:Verify|Pin|Lock) set/u })).toBeNull();
    expect(screen.queryByRole("button", { name: "Restore …" })).toBeNull();
  });
});

const first = <T,>([one]: readonly T[]): T => {
  if (one === undefined) {
    throw new Error("there is none");
  }

  return one;
};

/** Open the newest set. */
const open = async (): Promise<void> => {
  fireEvent.click(first(await screen.findAllByRole("button", { name: /^Details of set/u })));
  await screen.findByText(/2 pieces, 1.0 MB/u);
};

const NOTE: VerificationNote = {
  bytes_read: 1_000_000,
  damages: [],
  finished_at: "2026-11-21T02:01:00Z",
  isolation: [],
  level: "restore_test",
  outcome: "passed",
  proven: "restore_test",
  reason: null,
  restore_seconds: 12,
  started_at: "2026-11-21T02:00:30Z",
};
const DAMAGE = {
  concerns: ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt"],
  file: "wiki/sets/x/files.tar.0",
  kind: "corrupt",
  length: 1_048_576,
  offset: 4_096,
  piece: "files.tar.0",
  set_id: SET.set_id,
  what: "its checksum is another one",
};

describe("a chain", () => {
  const link = (day: number, change: Partial<SetSummary> = {}): SetSummary => ({
    ...SET,
    base: SET.set_id,
    consistent_at: new Date(Date.parse(SET.consistent_at) + day * 86_400_000).toISOString(),
    kind: "incremental",
    parent: SET.set_id,
    set_id: `day-${day}`,
    ...change,
  });

  it("is drawn under its full set, and can be folded", async () => {
    sets = [link(2), link(1), SET];
    show();
    const head = await screen.findByRole("button", { name: /^Chain of 3 sets/u });

    expect(head.textContent).toContain("All 3 verified");
    expect(head.textContent).toContain("3.0 MB");
    expect(screen.getAllByTestId("rails")).toHaveLength(2);
    fireEvent.click(head);
    expect(head.getAttribute("aria-expanded")).toBe("false");
    expect(screen.queryAllByTestId("set")).toHaveLength(0);
  });

  it("shows what cannot be restored because of another set", async () => {
    sets = [
      link(1, { unrestorable: "'x' is quarantined" }),
      { ...SET, state: "quarantined", unrestorable: "it is quarantined" },
    ];
    show();
    expect(await screen.findByText("Cannot be restored: 'x' is quarantined")).toBeDefined();
    expect(screen.getByTestId("rails").getAttribute("data-broken")).toBe("true");
    expect(screen.getByText("2 cannot be restored")).toBeDefined();
  });

  it("of fifty shows the newest, and the rest when asked; older ones are folded", async () => {
    const old = { ...SET, consistent_at: "2026-01-01T00:00:00Z", set_id: "old" };

    sets = [...Array.from({ length: 50 }, (_, day) => link(50 - day)), SET, link(-320, { base: "old" }), old];
    show();
    expect(await screen.findAllByTestId("set")).toHaveLength(12);
    fireEvent.click(screen.getByRole("button", { name: "Show 39 sets between" }));
    expect(screen.getAllByTestId("set")).toHaveLength(51);
    expect(screen.getByRole("button", { name: /^Chain of 2 sets/u }).getAttribute("aria-expanded")).toBe("false");
  });
});

describe("an opened set", () => {
  it("tells its pieces, warnings, verifications and what is damaged", async () => {
    const reason = "1 block is damaged";

    detail = { ...detail, notes: ["a.log changed while it was read"], verifications: [NOTE] };
    detail.verifications.push({
      ...NOTE,
      damages: [DAMAGE],
      level: "full",
      outcome: "failed",
      reason,
      restore_seconds: null,
    });
    show();
    await open();
    expect(screen.getByText("a.log changed while it was read")).toBeDefined();
    const [passed, ...others] = screen.getAllByTestId("verification");
    const failed = first(others);

    expect(passed?.textContent).toContain("Restore test: restored and compared");
    expect(passed?.textContent).toContain("the restore took 12 s");
    expect(failed.textContent).toContain("Corrupt: files.tar.0, 1.0 MB at byte 4,096: its checksum is another one");
    expect(failed.textContent).not.toContain("d.txt");
    fireEvent.click(within(failed).getByRole("button", { name: "2 more" }));
    expect(failed.textContent).toContain("e.txt");
  });

  it("is verified at the level that is chosen", async () => {
    show();
    await open();
    fireEvent.change(screen.getByLabelText("How thoroughly"), { target: { value: "restore_test" } });
    fireEvent.click(screen.getByRole("button", { name: /^Verify set/u }));
    await waitFor(() => expect(posts).toEqual([`sets/${SET.set_id}/verify {"level":"restore_test"}`]));
  });

  it("says how the verification goes that was asked for, and starts no second one", async () => {
    requests = [{ ...REQUEST, progress: PROGRESS, set_id: SET.set_id, status: "running", verb: "verify" }];
    show();
    await open();
    expect(await screen.findByText("asked for by ada: Reading · 50 %")).toBeDefined();
    expect(screen.getByRole("button", { name: /^Verify set/u })).toHaveProperty("disabled", true);
  });

  it("is pinned at a click", async () => {
    show();
    await open();
    fireEvent.click(screen.getByRole("button", { name: /^Pin set/u }));
    await waitFor(() => expect(posts).toEqual([`sets/${SET.set_id}/pin {"pinned":true}`]));
  });

  it("is locked only when the id was typed, and says why it was not", async () => {
    refusal = { detail: "the lock would last longer than thirty years", hint: "is the year right?" };
    show();
    await open();
    fireEvent.click(screen.getByRole("button", { name: /^Lock set/u }));
    const dialog = within(await screen.findByRole("dialog"));
    const button = dialog.getByRole<HTMLButtonElement>("button", { name: "Lock" });

    expect(button.disabled).toBe(true);
    fireEvent.change(dialog.getByLabelText("Type wiki to confirm"), { target: { value: "wiki" } });
    await waitFor(() => expect(button.disabled).toBe(false));
    fireEvent.click(button);
    expect((await dialog.findByRole("alert")).textContent).toContain("is the year right?");
    expect(posts[0]).toMatch(/pin \{"confirm":"wiki","lock_until":"/u);
  });

  it("is not locked by those who may not delete", async () => {
    permissions = { ...MAY_ALL, lock: false };
    show();
    await open();
    fireEvent.click(screen.getByRole("button", { name: /^Lock set/u }));
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("gives its id and its command to the clipboard", async () => {
    const written: string[] = [];

    const writeText = async (text: string): Promise<number> => Promise.resolve(written.push(text));

    vi.stubGlobal("navigator", { clipboard: { writeText } });
    show();
    await open();
    fireEvent.click(screen.getByRole("button", { name: "Copy the id of the set" }));
    await waitFor(() => expect(written).toEqual([SET.set_id]));
    expect(screen.getByText(`airflow-backup restore wiki --set ${SET.set_id} --to TARGET`)).toBeDefined();
  });
});
