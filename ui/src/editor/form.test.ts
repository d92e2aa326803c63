import { describe, expect, it } from "vitest";

import { BLANK, definitionOf, formOf, placeOf, sortProblems, startFor } from "./form";

const SCHEDULE = {
  alert_after: "26h",
  finish_in_window: "stop",
  id: "wiki",
  levels: { full: "0 2 * * sun", incremental: "0 2 * * mon-sat" },
  repository: "file:///backups",
  retention: { last: 3, within: "3d" },
  source: { engine: "files", exclude: ["*.tmp"], path: "/srv/wiki" },
  window: [{ days: ["mon", "tue"], from: "22:00", to: "06:00" }],
};

describe("the form", () => {
  it("gives back what it was filled from, and keeps what it does not ask for", () =>
    expect(definitionOf(formOf(SCHEDULE), SCHEDULE)).toEqual(SCHEDULE));

  it("replaces one answer to when by another", () => {
    const form = { ...formOf(SCHEDULE), every: "45m", when: "every" as const };
    const found = definitionOf(form, SCHEDULE);

    expect(found.every).toBe("45m");
    expect(found).not.toHaveProperty("levels");
  });

  it("begins with retention and a daily run", () => {
    const found = definitionOf({ ...formOf(BLANK), id: "new", path: "/srv/a", repository: "file:///b" }, BLANK);

    expect(found).toEqual({
      id: "new",
      preset: "daily",
      repository: "file:///b",
      retention: { daily: 14, last: 7, monthly: 12, weekly: 8 },
      source: { engine: "files", path: "/srv/a" },
    });
  });

  it("takes several paths, and removes what was emptied", () => {
    const form = { ...formOf(SCHEDULE), alertAfter: "", exclude: "", path: "/a, /b" };
    const found = definitionOf(form, SCHEDULE);

    expect(found.source).toEqual({ engine: "files", paths: ["/a", "/b"] });
    expect(found).not.toHaveProperty("alert_after");
  });

  it("begins a schedule for a connection, under a name that an id may be", () => {
    const start = startFor("2nd Orders.DB", { connection: "2nd Orders.DB", engine: "sqlite" });
    const found = definitionOf(formOf(start), start);

    expect(found.id).toBe("nd-orders-db");
    expect(found.source).toEqual({ connection: "2nd Orders.DB", engine: "sqlite" });
    expect(found.preset).toBe("daily");
  });

  it("forgets the options of another engine", () => {
    const form = { ...formOf(SCHEDULE), engine: "sqlite", path: "/srv/a.db" };

    expect(definitionOf(form, SCHEDULE).source).toEqual({ engine: "sqlite", path: "/srv/a.db" });
  });

  it("asks each engine for its own options", () => {
    const form = { ...formOf(SCHEDULE), database: "orders", engine: "postgres", method: "physical", sourceConnection: "orders_db" };

    expect(definitionOf(form, SCHEDULE).source).toEqual({
      connection: "orders_db",
      database: "orders",
      engine: "postgres",
      method: "physical",
    });
    expect(formOf({ source: { connection: "c", engine: "mysql" } })).toMatchObject({ method: "logical", sourceConnection: "c" });
  });

  it("keeps the options of a source that only YAML shows", () => {
    const source = { engine: "command", workflow: { command: ["/bin/x"] } };
    const before = { ...SCHEDULE, source };

    expect(definitionOf(formOf(before), before).source).toEqual(source);
  });

  it("says above the form what is wrong with an option that the form does not show", () => {
    const problem = { field: "source", hint: null, message: "write either `path` or `paths`" };

    expect(sortProblems([problem as never], "files").fields.path).toBe(problem);
    expect(sortProblems([problem as never], "command").elsewhere).toEqual([problem]);
  });

  it("leaves windows alone that it cannot show", () => {
    const window = [{ preset: "off_hours" }, { days: ["sun"], from: "00:00", to: "12:00" }];
    const before = { ...SCHEDULE, window };

    expect(formOf(before).window).toBe("written");
    expect(definitionOf(formOf(before), before).window).toBe(window);
  });

  it("sends what is no number as it is, so that the server can say so", () =>
    expect(definitionOf({ ...formOf(SCHEDULE), last: "many" }, SCHEDULE).retention).toEqual({ last: "many", within: "3d" }));
});

it("puts problems at their fields", () => {
  expect(placeOf("source")).toBe("path");
  expect(placeOf("levels.full")).toBe("full");
  expect(placeOf("checksum")).toBeNull();
  const one = { field: "cron", hint: null, line: null, message: "x" };
  const other = { ...one, field: "" };

  expect(sortProblems([one, other], "files")).toEqual({ elsewhere: [other], fields: { cron: one } });
});
