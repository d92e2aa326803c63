import { fireEvent, screen } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { lineOf, type TaskInstance } from "../api/host";
import { draw } from "../test/page";
import { RUN } from "../test/samples";
import { attemptsOf, RunLog, tellingOf } from "./RunLog";

const task = (id: string, state: string, tries = 1): TaskInstance => ({
  map_index: -1,
  start_date: `2026-11-21T02:00:0${id.length}Z`,
  state,
  task_id: id,
  try_number: tries,
});

let tasks: TaskInstance[] | number;
let written: string | number;
let asked: string[];

const answer = (body: number | string): Response =>
  typeof body === "number" ? new Response("{}", { status: body }) : new Response(body);

beforeEach(() => {
  tasks = [task("window", "success"), task("backup", "failed", 2)];
  written = '{"event": "one"}\n{"event": "two", "level": "error"}\n';
  asked = [];
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url.replace("http://host/air/", ""));

    return Promise.resolve(
      url.includes("/logs/")
        ? answer(written)
        : answer(typeof tasks === "number" ? tasks : JSON.stringify({ task_instances: tasks })),
    );
  });
});

describe("the end of a log", () => {
  it("is read through Airflow, of the attempt that says most", async () => {
    draw(<RunLog isLive={false} run={RUN} />);
    const end = await screen.findByRole("region", { name: "The end of the log of backup, attempt 2" });

    expect(end.textContent).toBe("one\nERROR two");
    expect(asked).toContain("api/v2/dags/backup__wiki/dagRuns/scheduled__1/taskInstances/backup/logs/2");
    expect(screen.getByRole("link", { name: /All of it in Airflow/u })).toHaveProperty(
      "href",
      "http://host/air/dags/backup__wiki/runs/scheduled__1/tasks/backup?try_number=2",
    );
    fireEvent.change(screen.getByRole("combobox", { name: "Whose log" }), { target: { value: "window 1" } });
    expect(await screen.findByRole("region", { name: "The end of the log of window, attempt 1" })).toBeDefined();
  });

  it("is no more than the last lines", async () => {
    written = Array.from({ length: 1234 }, (_, index) => JSON.stringify({ event: `line ${index}` })).join("\n");
    draw(<RunLog isLive={false} run={RUN} />);
    const lines = (await screen.findByRole("region")).textContent.split("\n");

    expect([lines.length, lines[0], lines.at(-1)]).toEqual([50, "line 1184", "line 1233"]);
    expect(screen.getByText("The last 50 lines")).toBeDefined();
  });

  it.each<[string, TaskInstance[] | number, number | string, string]>([
    ["the run is gone", 404, "", "Airflow has no log of this: the run was cleaned up there, or its log was."],
    ["its log is gone", [task("backup", "failed")], 404, "Airflow has no log of this"],
    ["nobody may read it", 403, "", "The log cannot be read: your role may not read it."],
    ["nothing began", [], "", "No task of this run has begun, so there is no log."],
    ["nothing was written", [task("backup", "success")], "", "Nothing was written."],
  ])("says so where there is none: %s", async (_, given, log, expected) => {
    [tasks, written] = [given, log];
    draw(<RunLog isLive={false} run={RUN} />);
    expect(await screen.findByText(new RegExp(`^${expected}`, "u"))).toBeDefined();
  });
});

describe("a task of a run", () => {
  it("says most where it failed, or works, else where the backup is taken", () => {
    expect(tellingOf([task("backup", "success"), task("verify", "failed", 3)])).toEqual({ attempt: 3, task: "verify" });
    expect(tellingOf([task("window", "success"), task("backup", "running")])?.task).toBe("backup");
    expect(tellingOf([task("window", "success"), task("backup", "success"), task("prune", "success")])?.task).toBe(
      "backup",
    );
    expect(tellingOf([])).toBeNull();
  });

  it("has a log for each attempt", () =>
    expect(attemptsOf([task("window", "success"), task("backup", "failed", 2)]).length).toBe(3));
});

describe("a line of a log", () => {
  it.each([
    ['{"event": "stored", "level": "info", "pieces": 3, "logger": "x", "lineno": 3}', "INFO stored pieces=3"],
    ['{"event": "::group::Log message source details", "sources": ["a"]}', null],
    [
      '{"event": "failed", "error_detail": [{"exc_type": "StorageError", "exc_value": "no room"}]}',
      "failed\nStorageError: no room",
    ],
    ["plain text", "plain text"],
    ["", null],
    ["null", "null"],
  ])("%s reads: %s", (given, expected) => expect(lineOf(given)).toBe(expected));
});
