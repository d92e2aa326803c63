import { fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import type { Place, RecoveryPlan, RequestedRun } from "../api/types";
import { draw } from "../test/page";
import { LIST, PROGRESS, REQUEST, SCHEDULE, SET } from "../test/samples";
import { RestoreGuide } from "./RestoreGuide";

const NOWHERE = { executor: null, executor_config: null, hosts: [], pool: null, schedules: 1 };
const OWN: Place = { ...NOWHERE, id: "backup_restore", queue: null };
const OTHER: Place = { ...NOWHERE, hosts: ["nas1"], id: "backup_restore__nas", queue: "nas" };
const PLAN: RecoveryPlan = {
  at: "2026-11-21T02:00:00Z",
  bytes_to_read: 1_000_000,
  command: "airflow-backup restore wiki --at 2026-11-21T02:00:00+00:00 --to TARGET",
  consistent_at: "2026-11-21T02:00:00Z",
  earliest: null,
  gaps: [],
  measured: true,
  schedule_id: "wiki",
  seconds: 61,
  sets: [SET],
  takes_paths: true,
};

let places: Place[];
let plan: RecoveryPlan;
let refusal: { detail: string; hint: string } | null;
let runs: RequestedRun[];
let sent: unknown[];

const answer = (url: string): unknown =>
  url.includes("places") ? { places } : url.includes("recovery-path") ? plan : { now: PLAN.at, runs };

beforeEach(() => {
  [places, plan, refusal, runs, sent] = [[OWN, OTHER], PLAN, null, [], []];
  vi.stubGlobal("fetch", (url: string, { body }: { body?: string } = {}) => {
    if (body === undefined) {
      return Promise.resolve(new Response(JSON.stringify(answer(url))));
    }
    sent.push(JSON.parse(body));
    if (refusal === null) {
      runs = [REQUEST];
    }

    return Promise.resolve(
      refusal === null
        ? new Response(JSON.stringify({ dag_id: REQUEST.dag_id, run_id: REQUEST.run_id }))
        : new Response(JSON.stringify(refusal), { status: 409 }),
    );
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const open = async (): Promise<void> => {
  draw(<RestoreGuide list={LIST} schedule={SCHEDULE} />);
  fireEvent.click(await screen.findByRole("button", { name: "Restore …" }));
};

const restore = async (): Promise<void> => {
  fireEvent.change(screen.getByLabelText(`Type ${SCHEDULE.id} to confirm`), { target: { value: SCHEDULE.id } });
  fireEvent.click(screen.getByRole("button", { name: "Restore" }));
  await waitFor(() => expect(sent).toHaveLength(1));
};

it("sends a restore to the workers that were chosen, by their queue and hosts", async () => {
  await open();
  fireEvent.change(await screen.findByLabelText("Workers"), { target: { value: OTHER.id } });
  expect(screen.getByRole("option", { name: "queue nas (nas1)" })).toBeTruthy();
  await restore();
  expect(sent[0]).toMatchObject({ confirm: SCHEDULE.id, place: "backup_restore__nas" });
});

it("says as of when", async () => {
  await open();
  expect(screen.getByText(/^Comes back as of/u).textContent).toMatch(/21 November 2026/u);
});

it("leaves it to the schedule where nothing is chosen", async () => {
  await open();
  await screen.findByLabelText("Workers");
  await restore();
  expect(sent[0]).not.toHaveProperty("place");
});

it("asks for no workers where all schedules have the same", async () => {
  places = [OWN];
  await open();
  await restore();
  expect(screen.queryByLabelText("Workers")).toBeNull();
});

it("brings back the files and folders that are named, and shows the command for them", async () => {
  await open();
  fireEvent.change(screen.getByLabelText("Only these files and folders"), {
    target: { value: "etc/hosts\n\n  Bob's files \n" },
  });
  fireEvent.change(screen.getByLabelText(/^Folder/u), { target: { value: "my copy" } });
  const chosen = `--to 'my copy' --path etc/hosts --path 'Bob'"'"'s files'`;

  expect(screen.getByText(PLAN.command.replace("--to TARGET", chosen))).toBeDefined();
  expect(screen.getByText(/reads at most 1.0 MB/u)).toBeDefined();
  await restore();
  expect(sent[0]).toMatchObject({ at: PLAN.at, paths: ["etc/hosts", "Bob's files"], target: "my copy" });
});

it("asks for no paths where sets come back as a whole", async () => {
  plan = { ...PLAN, takes_paths: false };
  await open();
  expect(screen.queryByLabelText("Only these files and folders")).toBeNull();
  expect(screen.getByText(/^Everything:/u)).toBeDefined();
});

it("takes no more paths than the server", async () => {
  await open();
  fireEvent.change(screen.getByLabelText("Only these files and folders"), { target: { value: "a\n".repeat(1001) } });
  fireEvent.change(screen.getByLabelText("Type wiki to confirm"), { target: { value: "wiki" } });
  expect(screen.getByText(/^At most 1,000 at once/u)).toBeDefined();
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Restore" }).disabled).toBe(true);
});

it("says in place why the server refused", async () => {
  refusal = { detail: "no schedule runs there", hint: "choose other workers" };
  await open();
  await restore();
  expect((await screen.findByRole("alert")).textContent).toContain("No schedule runs there – choose other workers");
});

it("shows in place how the restore goes", async () => {
  await open();
  await restore();
  const run = await screen.findByTestId("restore");

  expect(run.getAttribute("data-status")).toBe("pending");
  expect(run.textContent).toContain("Waits for a free place");
  await waitFor(() => expect(document.activeElement).toBe(run));
  runs = [{ ...REQUEST, progress: { ...PROGRESS, stage: "restoring" }, reason: null, status: "running" }];
  expect(await screen.findByText("Restoring · 50 %")).toBeDefined();
});

it("shows what a restore of the last day brought back, or why it failed", async () => {
  const done = { ...REQUEST, asked_at: new Date().toISOString(), finished_at: "2026-11-21T12:05:00Z", reason: null };

  runs = [
    { ...done, error: "the vault does not answer", hint: "is it up?", run_id: "2", status: "failed" },
    {
      ...done,
      result: {
        bytes_written: 3_000_000,
        consistent_at: PLAN.at,
        files: 12,
        host: "nas1",
        kept: null,
        passed_over: ["set 'x': it is quarantined"],
        seconds: 12,
        target: "/srv/restores/wiki",
        warnings: [],
      },
      status: "completed",
    },
  ];
  draw(<RestoreGuide list={LIST} schedule={SCHEDULE} />);
  const [failed, completed] = await screen.findAllByTestId("restore");

  expect(failed?.textContent).toContain("The vault does not answer – is it up?");
  expect(completed?.textContent).toContain("Brought back 12 files, 3.0 MB in 12 s, into /srv/restores/wiki on nas1.");
  expect(completed?.textContent).toContain("set 'x': it is quarantined");
  expect(completed?.querySelector("a")?.href).toContain("/dags/backup_restore/runs/manual__1");
});
