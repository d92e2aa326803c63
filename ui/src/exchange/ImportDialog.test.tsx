import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";

import type { ImportedSchedule, ImportResults, TemplateInfo } from "../api/types";
import { BulkBar } from "../schedules/BulkBar";
import { ticked } from "../schedules/target";
import { ENGINES } from "../test/engines";
import { draw, show } from "../test/page";
import { SCHEDULE, STATUS } from "../test/samples";

type Asked = { dry_run?: boolean; on_conflict: string; yaml: string };

let asked: Asked[];
let refusal: string | null;
let mayCreate: boolean;
let total: number;

const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status });

const item = (change: Partial<ImportedSchedule>): ImportedSchedule => ({
  changes: [],
  detail: null,
  hint: null,
  line: 3,
  outcome: "created",
  problems: [],
  schedule_id: "wiki",
  ...change,
});

/** What the server says: "shop" is wrong, "orders" is there already and is changed only where that is asked for. */
const results = ({ dry_run = false, on_conflict, yaml }: Asked): ImportResults => {
  const schedules: ImportedSchedule[] = [];

  if (yaml.includes("wiki")) {
    schedules.push(item({}));
  }
  if (yaml.includes("orders")) {
    schedules.push(
      item(
        on_conflict === "replace"
          ? {
              changes: [{ after: "hourly", before: "daily", key: "preset" }],
              line: 9,
              outcome: "replaced",
              schedule_id: "orders",
            }
          : {
              detail: "there already is a schedule 'orders'",
              hint: "edit it, or choose another",
              line: 9,
              outcome: "refused",
              schedule_id: "orders",
            },
      ),
    );
  }
  if (yaml.includes("shop")) {
    const problem = { field: "cron", hint: null, line: 14, message: "`soon` is not a cron expression" };

    schedules.push(
      item({
        detail: "what is written is wrong",
        line: 12,
        outcome: "refused",
        problems: [problem],
        schedule_id: "shop",
      }),
    );
  }
  const count = (outcome: string): number => schedules.filter((each) => each.outcome === outcome).length;

  return {
    counts: {
      created: count("created"),
      refused: count("refused"),
      replaced: count("replaced"),
      skipped: 0,
      unchanged: 0,
    },
    dry_run,
    possible: count("refused") === 0,
    problems: [],
    saved: !dry_run,
    schedules,
  };
};

const TEMPLATE: TemplateInfo = {
  definition: {
    alert_after: "26h",
    cron: "0 2 * * *",
    id: "orders",
    repository: "s3://bucket/backups",
    source: { connection: "orders_db", engine: "postgres" },
    verify: { restore_test: "weekly" },
  },
  name: "postgres-nightly",
  summary: "A dump of one database every night.",
  title: "PostgreSQL, every night",
  yaml: "version: 1",
};

const respond = (url: URL, init?: RequestInit): Response => {
  const path = url.pathname.replace("/air/backup/api/v1/", "");

  if (path === "import" && typeof init?.body === "string") {
    const body = JSON.parse(init.body) as Asked;

    asked.push(body);

    return refusal === null || body.dry_run === true ? json(results(body)) : json({ detail: refusal, hint: null }, 409);
  }
  if (path === "schedules/validate" && typeof init?.body === "string") {
    asked.push(JSON.parse(init.body) as Asked);

    return json({
      definition: null,
      next_runs: [],
      problems: [],
      rhythms: [],
      timezone: "UTC",
      valid: false,
      warnings: [],
    });
  }
  const answers: Record<string, unknown> = {
    coverage: { connections: [], exceptions: 0, percent: 100, protected: 0, unknown_exceptions: [], unprotected: 0 },
    days: { days: [], runs: {}, schedules: {}, stored: {} },
    engines: { engines: ENGINES },
    events: { cursor: 7, events: [], more: false, newest: 7 },
    receivers: { may_test: true, receivers: [] },
    "runs/active": { next_before: null, now: STATUS.now, runs: [] },
    schedules: {
      engines: [],
      group_sizes: {},
      groups: [],
      limit: 50,
      may_create: mayCreate,
      now: STATUS.now,
      offset: 0,
      schedules: total === 0 || url.searchParams.get("state") === "attention" ? [] : [SCHEDULE],
      tags: [],
      total,
    },
    status: { ...STATUS, total },
    templates: { templates: [TEMPLATE] },
    timeline: { lanes: [], now: STATUS.now, slots: 2, total: 0, until: "2026-11-22T12:00:00Z" },
  };

  return json(answers[path] ?? {});
};

beforeEach(() => {
  [asked, refusal, mayCreate, total] = [[], null, true, 1];
  vi.stubGlobal("fetch", async (url: string, init?: RequestInit) => Promise.resolve(respond(new URL(url), init)));
});

const open = async (text: string): Promise<HTMLElement> => {
  fireEvent.click(await screen.findByRole("button", { name: /^(Or import a file|Import)$/u }));
  const dialog = await screen.findByRole("dialog", { name: "Import schedules" });

  fireEvent.change(within(dialog).getByRole("textbox", { name: "or its text" }), { target: { value: text } });

  return dialog;
};

const press = (dialog: HTMLElement, name: string): boolean =>
  fireEvent.click(within(dialog).getByRole("button", { name }));

describe("the import of a file", () => {
  it("imports nothing before somebody saw what becomes of each schedule", async () => {
    show();
    const dialog = await open("wiki");

    press(dialog, "Check");
    await within(dialog).findByText("1 new.");
    expect(asked).toEqual([{ dry_run: true, on_conflict: "fail", yaml: "wiki" }]);
    press(dialog, "Import 1 schedule");
    await waitFor(() => expect(screen.queryByRole("dialog", { name: "Import schedules" })).toBeNull());
    expect(asked[1]).toEqual({ on_conflict: "fail", yaml: "wiki" });
  });

  it("looks again at a text that was changed after it was checked", async () => {
    show();
    const dialog = await open("wiki");

    press(dialog, "Check");
    await within(dialog).findByRole("button", { name: "Import 1 schedule" });
    fireEvent.change(within(dialog).getByRole("textbox", { name: "or its text" }), { target: { value: "wiki shop" } });
    expect(within(dialog).queryByRole("button", { name: /^Import/u })).toBeNull();
    expect(within(dialog).queryByText("1 new.")).toBeNull();
    press(dialog, "Check");
    await within(dialog).findByText("line 14 · cron");
    expect(asked.every(({ dry_run }) => dry_run === true)).toBe(true);
  });

  it("shows first what is wrong, with its line, and imports none of the file", async () => {
    show();
    const dialog = await open("wiki shop");

    press(dialog, "Check");
    const region = await within(dialog).findByRole("region", { name: "What becomes of each schedule" });

    await within(region).findByText("Nothing can be imported yet:");
    expect(
      within(region)
        .getAllByRole("listitem")
        .map((each) => each.textContent),
    ).toEqual(["refusedshopline 12line 14 · cron`soon` is not a cron expression".replaceAll("`", ""), "newwikiline 3"]);
    expect(within(dialog).getByRole("button", { name: /^Import/u })).toHaveProperty("disabled", true);
  });

  it("changes what is there only where that is asked for, and says what it changes", async () => {
    show();
    const dialog = await open("orders");

    press(dialog, "Check");
    await within(dialog).findByText(/there already is a schedule 'orders'/u);
    fireEvent.change(within(dialog).getByRole("combobox"), { target: { value: "replace" } });
    press(dialog, "Check");
    await within(dialog).findByText("1 changed.");
    within(dialog).getByText("preset");
    press(dialog, "Import 1 schedule");
    await waitFor(() => expect(asked.at(-1)).toEqual({ on_conflict: "replace", yaml: "orders" }));
  });

  it("stays open when somebody was faster, and looks once more", async () => {
    show();
    refusal = "nothing was imported: schedule 'wiki' has version 1, not 0";
    const dialog = await open("wiki");

    press(dialog, "Check");
    fireEvent.click(await within(dialog).findByRole("button", { name: "Import 1 schedule" }));
    await screen.findByText(/schedule 'wiki' has version 1, not 0/u);
    await within(dialog).findByRole("button", { name: "Check" });
  });

  it("takes a file from the disk", async () => {
    show();
    const dialog = await open("");
    const file = new File(["wiki"], "schedules.yaml");

    expect(within(dialog).getByRole("button", { name: "Check" })).toHaveProperty("disabled", true);
    fireEvent.change(within(dialog).getByLabelText("File"), { target: { files: [file] } });
    await waitFor(() =>
      expect(within(dialog).getByRole("textbox", { name: "or its text" })).toHaveProperty("value", "wiki"),
    );
  });

  it("is there where there are no schedules yet, and not for those who may not make any", async () => {
    total = 0;
    show();
    await open("wiki");
  });

  it("is not offered to those who may not make schedules", async () => {
    mayCreate = false;
    show();
    await screen.findByRole("checkbox", { name: "wiki is enabled" });
    expect(screen.queryByRole("button", { name: "Import" })).toBeNull();
    expect(screen.queryByRole("button", { name: "New schedule" })).toBeNull();
  });
});

describe("the export", () => {
  it("is a link for what the list shows, and for what was made here", async () => {
    mayCreate = false;
    show("/plugin/backup?q=wiki&state=good");
    fireEvent.click(await screen.findByRole("button", { name: "More for all schedules" }));
    const these = await screen.findByRole("menuitem", { name: "Export these 1 schedule" });

    expect(these.getAttribute("href")).toBe("http://host/air/backup/api/v1/export?q=wiki&state=good");
    expect(screen.getByRole("menuitem", { name: "Export what was made here" }).getAttribute("href")).toBe(
      "http://host/air/backup/api/v1/export?made=true",
    );
  });

  it("is a link for the schedules that are chosen", async () => {
    show();
    fireEvent.click(await screen.findByRole("checkbox", { name: "Choose wiki" }));
    expect((await screen.findByRole("link", { name: "Export" })).getAttribute("href")).toBe(
      "http://host/air/backup/api/v1/export?schedule=wiki",
    );
  });
});

describe("the export of more schedules than an address names", () => {
  it.each([
    [500, false],
    [501, true],
  ])("%i: disabled is %s", async (count, isDisabled) => {
    const ids = Array.from({ length: count }, (_, number) => `s${number}`);

    draw(<BulkBar more={null} onClear={() => undefined} target={ticked(ids)} />);
    const found = await screen.findByText("Export");

    expect(found.closest("button[disabled]") !== null).toBe(isDisabled);
    expect(found.closest("a") === null).toBe(isDisabled);
  });
});

describe("a new schedule", () => {
  it("starts from a template, without its id and its repository, and keeps what the form does not show", async () => {
    show();
    fireEvent.click(await screen.findByRole("button", { name: "New schedule" }));
    fireEvent.change(await screen.findByRole("combobox", { name: "Start from" }), {
      target: { value: "postgres-nightly" },
    });
    await screen.findByText(/^A dump of one database every night\./u);
    expect(screen.getByDisplayValue("orders_db")).toBeDefined();
    expect(screen.queryByDisplayValue("s3://bucket/backups")).toBeNull();
    await waitFor(() => {
      const body = asked.at(-1) as unknown as Record<string, unknown>;

      expect(body.verify).toEqual({ restore_test: "weekly" });
      expect(body.source).toEqual({ connection: "orders_db", engine: "postgres" });
      expect(body.id ?? "").toBe("");
    });
  });

  it("asks before a template throws away what was typed", async () => {
    show();
    fireEvent.click(await screen.findByRole("button", { name: "New schedule" }));
    fireEvent.change(await screen.findByRole("textbox", { name: /^Name|^Id/u }), { target: { value: "mine" } });
    fireEvent.change(screen.getByRole("combobox", { name: "Start from" }), { target: { value: "postgres-nightly" } });
    const dialog = await screen.findByRole("dialog", { name: "Discard what you typed?" });

    expect(screen.getByDisplayValue("mine")).toBeDefined();
    press(dialog, "Discard");
    await screen.findByDisplayValue("orders_db");
    expect(screen.queryByDisplayValue("mine")).toBeNull();
  });
});
