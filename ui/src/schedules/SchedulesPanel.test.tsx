import { ChakraProvider, defaultSystem } from "@chakra-ui/react";
import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { useSchedules } from "../api/queries";
import { createClient } from "../api/refresh";
import type { ScheduleIds, ScheduleList, ScheduleSummary } from "../api/types";
import { SCHEDULE } from "../test/samples";
import { EVERY, type ListChoice } from "./choice";
import { type ListChange, SchedulesPanel } from "./SchedulesPanel";

const named = (id: string, change: Partial<ScheduleSummary> = {}): ScheduleSummary => ({ ...SCHEDULE, ...change, id });

let list: ScheduleList;
let matching: ScheduleIds;
let posts: string[];
let asked: string[];
let changes: ListChange[];

const ANSWERS: Record<string, () => unknown> = {
  days: () => ({ days: ["2026-11-21"], runs: {}, schedules: {}, stored: {} }),
  "schedule-ids": () => matching,
  schedules: () => list,
  "schedules/bulk": () => ({ done: 2, refused: 0, results: [] }),
};

beforeEach(() => {
  [posts, asked, changes] = [[], [], []];
  matching = { ids: ["crm", "orders", "wiki"], total: 3 };
  list = {
    engines: ["files", "sqlite"],
    group_sizes: { databases: 7, files: 1 },
    groups: ["databases", "files"],
    limit: 50,
    may_create: false,
    now: "2026-11-21T12:00:00Z",
    offset: 0,
    schedules: [named("crm", { group: "databases" }), named("orders", { group: "databases" })],
    tags: ["prod"],
    total: 3,
  };
  vi.stubGlobal("fetch", async (url: string, init?: RequestInit) => {
    const [path = "", query = ""] = url.replace("http://host/air/backup/api/v1/", "").split("?");

    asked.push(`${path}?${query}`);
    if (init?.method === "POST") {
      posts.push(typeof init.body === "string" ? init.body : "");
    }

    return Promise.resolve(new Response(JSON.stringify(ANSWERS[path]?.() ?? {})));
  });
});
afterEach(() => localStorage.clear());

type ShownProps = { readonly byGroup?: boolean; readonly choice?: ListChoice };

const Shown = ({ byGroup = false, choice = EVERY }: ShownProps) => (
  <SchedulesPanel
    activeRuns={new Map()}
    byGroup={byGroup}
    choice={choice}
    list={useSchedules({ ...choice, by_group: byGroup, limit: 50, offset: 0, sort: "id" })}
    offset={0}
    onChange={(change) => changes.push(change)}
    onEdit={vi.fn()}
    onImport={null}
    onMaintain={null}
    onNew={null}
    onOpen={vi.fn()}
    sort="id"
  />
);

const show = (props: ShownProps = {}) =>
  render(
    <ChakraProvider value={defaultSystem}>
      <QueryClientProvider client={createClient()}>
        <Shown {...props} />
      </QueryClientProvider>
    </ChakraProvider>,
  );

const chooseAll = async (): Promise<void> => {
  fireEvent.click(await screen.findByRole("checkbox", { name: "Choose all schedules" }));
  fireEvent.click(await screen.findByRole("button", { name: "Choose all 3 that match" }));
};

const isChosen = async (count: string): Promise<HTMLElement> =>
  within(await screen.findByLabelText("What to do with the chosen schedules")).findByText(count);

describe("the list of schedules", () => {
  it("is narrowed by group, tag and engine, and exported as it is shown", async () => {
    show({ choice: { ...EVERY, group: "databases", tag: "gone" } });
    await screen.findByTestId("schedule-crm");
    expect(asked.some((each) => each.startsWith("schedules?group=databases&"))).toBe(true);
    for (const [name, value] of [
      ["Group", "files"],
      ["Tag", "prod"],
      ["Engine", "sqlite"],
    ] as const) {
      fireEvent.change(screen.getByRole("combobox", { name }), { target: { value } });
    }
    expect(changes).toEqual([{ group: "files" }, { tag: "prod" }, { source: "sqlite" }]);
    expect(screen.getByRole("combobox", { name: "Tag" })).toHaveProperty("value", "gone");
    fireEvent.click(screen.getByRole("button", { name: "More for all schedules" }));
    expect((await screen.findByRole("menuitem", { name: "Export these 3 schedules" })).getAttribute("href")).toContain(
      "export?group=databases&tag=gone",
    );
  });

  it("says when a set was verified, and how many runs failed in a row", async () => {
    list.schedules = [
      named("crm", {
        last_verified: { at: "2026-11-21T10:00:00Z", level: "full" },
        protection: { ...SCHEDULE.protection, failures_in_row: 3 },
      }),
    ];
    localStorage.setItem("airflow-backup hidden columns", "size");
    show();
    const row = await screen.findByTestId("schedule-crm");

    expect(within(row).getByText("3 in a row")).toBeDefined();
    expect(row.textContent).toContain("2 h ago");
  });

  it("leaves out the columns that were hidden in this browser", async () => {
    localStorage.setItem("airflow-backup hidden columns", "size verified odd");
    show();
    await screen.findByTestId("schedule-crm");
    const names = screen.getAllByRole("columnheader", { hidden: true }).map(({ textContent }) => textContent);

    expect(names).not.toContain("Size");
    expect(names).not.toContain("Verified");
    expect(names).toContain("Last 30 days");
  });
});

describe("groups", () => {
  it("have a head with their size, and one verb for all of them after a question", async () => {
    show({ byGroup: true });
    const row = (await screen.findByText("7 schedules")).closest("tr");

    expect(row?.textContent).toContain("databases");
    expect(screen.getAllByText("databases", { selector: "p" })).toHaveLength(1);
    fireEvent.click(screen.getByRole("button", { name: "For the group databases" }));
    await screen.findByRole("menuitem", { name: "Disable all…" });
    const menu = screen.getByRole("menu");

    for (const key of ["ArrowDown", "ArrowDown", "Enter"]) {
      fireEvent.keyDown(menu, { key });
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    const dialog = await screen.findByRole("dialog", { name: "Disable: 7 schedules" });

    expect(dialog.textContent).toContain("also those that the filters hide");
    expect(posts).toEqual([]);
    fireEvent.click(within(dialog).getByRole("button", { name: "Disable" }));
    await waitFor(() => expect(posts).toEqual(['{"action":"disable","group":"databases"}']));
  });
});

describe("all that match", () => {
  it("are acted on by their ids, after a question that says how many", async () => {
    show();
    await chooseAll();
    await isChosen("3 schedules");
    fireEvent.click(screen.getByRole("button", { name: "Enable" }));
    const dialog = await screen.findByRole("dialog", { name: "Enable: 3 schedules" });

    expect(dialog.textContent).toContain("also on the other pages: crm, orders, wiki.");
    expect(posts).toEqual([]);
    fireEvent.click(within(dialog).getByRole("button", { name: "Enable" }));
    await waitFor(() => expect(posts).toEqual(['{"action":"enable","ids":["crm","orders","wiki"]}']));
  });

  it("are no more than those in sight once one of them is taken out", async () => {
    show();
    await chooseAll();
    await isChosen("3 schedules");
    fireEvent.click(screen.getByRole("checkbox", { name: "Choose orders" }));
    await isChosen("1 schedule");
  });

  it("are a group where they are too many to name, and nothing where they are not one", async () => {
    matching = { ids: ["crm"], total: 3 };
    show({ choice: { ...EVERY, group: "databases" } });
    await chooseAll();
    await isChosen("3 schedules");
    fireEvent.click(screen.getByRole("button", { name: "Run now" }));
    const dialog = await screen.findByRole("dialog", { name: "Run now: 3 schedules" });

    fireEvent.click(within(dialog).getByRole("button", { name: "Run now" }));
    await waitFor(() => expect(posts).toEqual(['{"action":"run","group":"databases"}']));
  });

  it("are not chosen where they are too many and no group", async () => {
    matching = { ids: ["crm"], total: 3 };
    show({ choice: { ...EVERY, q: "db" } });
    await chooseAll();
    await waitFor(() => expect(asked).toContain("schedule-ids?q=db"));
    await isChosen("2 schedules");
  });
});
