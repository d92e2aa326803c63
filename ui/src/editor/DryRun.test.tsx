import { fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";

import { draw } from "../test/page";
import { DryRun } from "./DryRun";

const FOUND = {
  bytes_read: 3_100_000,
  files: 1204,
  host: "nas",
  is_all: true,
  kind: "incremental",
  problems: [],
  reason: null,
  repository_is_new: false,
  schedule_id: "wiki",
  unread: [],
};
let answers: unknown[];
let posts: string[];

beforeEach(() => {
  answers = [];
  posts = [];
  vi.stubGlobal("fetch", (input: string, init?: RequestInit) => {
    if (init?.method === "POST") {
      posts.push(`${new URL(input).pathname} ${typeof init.body === "string" ? init.body : ""}`);

      return Promise.resolve(
        new Response(JSON.stringify({ dag_id: "backup_ask", run_id: `r${posts.length}`, schedule_id: "wiki" })),
      );
    }

    return Promise.resolve(
      new Response(JSON.stringify(answers.length > 1 ? answers.shift() : answers[0]), { status: 200 }),
    );
  });
});

const answer = (more: object): object => ({
  contents: null,
  dag_id: "backup_ask",
  dry_run: null,
  problem: null,
  run_id: "r1",
  state: "done",
  ...more,
});

const press = (): boolean => fireEvent.click(screen.getByRole("button", { name: "Dry run" }));

it("waits for a worker, and says how much a run would read", async () => {
  answers = [answer({ state: "waiting" }), answer({ state: "running" }), answer({ dry_run: FOUND })];
  draw(<DryRun definition={{ id: "wiki" }} />);
  press();
  await screen.findByText(/Waiting for a worker/u);
  await screen.findByText("A run would take an incremental set of 1,204 files, 3.1 MB.", {}, { timeout: 6_000 });
  expect(screen.getByText("Looked at on nas.")).toBeTruthy();
  expect(posts).toEqual(['/air/backup/api/v1/schedules/dry-run {"id":"wiki"}']);
});

it("says everything that is in the way", async () => {
  const problems = [
    { hint: "ls -ld /srv", message: "cannot read '/srv'" },
    { hint: null, message: "no key" },
  ];

  answers = [answer({ dry_run: { ...FOUND, problems } })];
  draw(<DryRun definition={{ id: "wiki" }} />);
  press();
  await screen.findByText("A run would fail on nas");
  expect(screen.getByText(/annot read/u)).toBeTruthy();
  expect(screen.getByText(/o key/u)).toBeTruthy();
});

it("says why there is no answer", async () => {
  const problem = { hint: "the log says why", message: "the run ended without an answer" };

  answers = [answer({ problem, state: "failed" })];
  draw(<DryRun definition={{ id: "wiki" }} />);
  press();
  await screen.findByText(/ended without an answer/u);
});

it("asks nothing of what is wrong", async () => {
  draw(<DryRun definition={null} />);
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Dry run" }).disabled).toBe(true);
  press();
  await waitFor(() => expect(posts).toEqual([]));
});
