import { describe, expect, it } from "vitest";

import { readExactly } from "../exact";
import { ENGINES } from "../test/engines";
import { BLANK, definitionOf, type Form, formOf, startFor } from "./form";
import { sortProblems } from "./places";
import { otherEngine } from "./sources";

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

type Data = Record<string, unknown>;

const open = (data: Data): Form => formOf(data, ENGINES);
const written = (form: Form, before: Data): Data => definitionOf(form, before, ENGINES);

describe("the form", () => {
  it("gives back what it was filled from, and keeps what it does not ask for", () =>
    expect(written(open(SCHEDULE), SCHEDULE)).toEqual(SCHEDULE));

  it("replaces one answer to when by another", () => {
    const form = { ...open(SCHEDULE), every: "45m", when: "every" as const };
    const found = written(form, SCHEDULE);

    expect(found.every).toBe("45m");
    expect(found).not.toHaveProperty("levels");
  });

  it("begins with retention and a daily run", () => {
    const found = written({ ...open(BLANK), id: "new", repository: "file:///b", "source.path": "/srv/a" }, BLANK);

    expect(found).toEqual({
      id: "new",
      preset: "daily",
      repository: "file:///b",
      retention: { daily: 14, last: 7, monthly: 12, weekly: 8 },
      source: { engine: "files", path: "/srv/a" },
    });
  });

  it("takes several paths, and removes what was emptied", () => {
    const form = { ...open(SCHEDULE), alertAfter: "", "source.exclude": "", "source.path": "/a, /b" };
    const found = written(form, SCHEDULE);

    expect(found.source).toEqual({ engine: "files", paths: ["/a", "/b"] });
    expect(found).not.toHaveProperty("alert_after");
  });

  it("begins a schedule for a connection, under a name that an id may be", () => {
    const start = startFor("2nd Orders.DB", { connection: "2nd Orders.DB", engine: "sqlite" });
    const found = written(open(start), start);

    expect(found.id).toBe("nd-orders-db");
    expect(found.source).toEqual({ connection: "2nd Orders.DB", engine: "sqlite" });
    expect(found.preset).toBe("daily");
  });

  it("forgets the options of another engine", () => {
    const form = { ...open(SCHEDULE), engine: "sqlite", "source.path": "/srv/a.db" };

    expect(written(form, SCHEDULE).source).toEqual({ engine: "sqlite", path: "/srv/a.db" });
  });

  it("asks each engine for its own options", () => {
    const form = {
      ...open(SCHEDULE),
      engine: "postgres",
      "source.connection": "orders_db",
      "source.database": "orders",
      "source.method": "physical",
    };

    expect(written(form, SCHEDULE).source).toEqual({
      connection: "orders_db",
      database: "orders",
      engine: "postgres",
      method: "physical",
    });
    expect(open({ source: { connection: "c", engine: "postgres" } })).toMatchObject({
      "source.connection": "c",
      "source.jobs": "1",
      "source.method": "logical",
    });
  });

  it("keeps the options of a source that only YAML shows", () => {
    const source = { engine: "command", workflow: { command: ["/bin/x"] } };
    const before = { ...SCHEDULE, source };

    expect(written(open(before), before).source).toEqual(source);
  });

  it("keeps what an option of each kind says, and writes nothing that holds anyway", () => {
    const before = { ...SCHEDULE, source: { connection: "c", engine: "postgres" } };
    const change = (typed: Data): unknown => written({ ...open(before), ...typed }, before).source;

    expect(change({ "source.jobs": "4", "source.wal": "slot" })).toEqual({ ...before.source, jobs: 4, wal: "slot" });
    expect(change({ "source.jobs": "four" })).toEqual({ ...before.source, jobs: "four" });
    expect(change({ "source.jobs": "99999999999999999999" })).toEqual({
      ...before.source,
      jobs: "99999999999999999999",
    });
    expect(change({ "source.jobs": " 1 " })).toEqual(before.source);
    expect(change({ "source.database": "" })).toEqual(before.source);
    const files = { ...SCHEDULE, source: { allow_empty: true, engine: "files", path: "/a" } };

    expect(open(files)["source.allow_empty"]).toBe("true");
    expect(written({ ...open(files), "source.allow_empty": "false" }, files).source).toEqual({
      engine: "files",
      path: "/a",
    });
  });

  it("says nothing where something is usual", () => {
    const before = { ...SCHEDULE, source: { engine: "tape" } };

    expect(open(before)["source.patterns"]).toBe("*.old");
    expect(written({ ...open(before), "source.patterns": "" }, before).source).toEqual({
      engine: "tape",
      patterns: [],
    });
  });

  it("holds a list of numbers as numbers", () => {
    const before = { ...SCHEDULE, source: { codes: [0, 3], engine: "tape" } };
    const change = (typed: string): unknown => written({ ...open(before), "source.codes": typed }, before).source;

    expect(open(before)["source.codes"]).toBe("0, 3");
    expect(open({ source: { engine: "tape" } })["source.codes"]).toBe("0");
    expect(change("0, -3, 7.5")).toEqual({ codes: [0, -3, 7.5], engine: "tape" });
    expect(change("0, three")).toEqual({ codes: [0, "three"], engine: "tape" });
    expect(change("0")).toEqual({ engine: "tape" });
    expect(change("")).toEqual({ codes: [], engine: "tape" });
  });

  it("shows a number as it was written, and takes one below nothing", () => {
    const source = (readExactly('{"source": {"codes": [1.0, 2], "engine": "tape", "gain": 2.0}}') as Data).source;
    const before = { ...SCHEDULE, source };
    const form = open(before);

    expect([form["source.gain"], form["source.codes"]]).toEqual(["2.0", "1.0, 2"]);
    expect(written(form, before).source).toBe(source);
    expect(written({ ...form, "source.gain": "-1.5e-3" }, before).source).toMatchObject({ gain: -0.0015 });
  });

  it("writes nothing of what another engine leaves open", () =>
    expect(
      written({ ...open(SCHEDULE), engine: "tape", ...otherEngine(ENGINES, "tape", open(SCHEDULE)) }, SCHEDULE).source,
    ).toEqual({ engine: "tape" }));

  it("carries over to another engine what may be said there", () => {
    const typed = { "source.connection": "c", "source.method": "odd", "source.path": "/a" };
    const form = { ...open(SCHEDULE), engine: "postgres", ...otherEngine(ENGINES, "postgres", typed) };

    expect(written(form, SCHEDULE).source).toEqual({ connection: "c", engine: "postgres" });
  });

  it("leaves windows alone that it cannot show", () => {
    const window = [{ preset: "off_hours" }, { days: ["sun"], from: "00:00", to: "12:00" }];
    const before = { ...SCHEDULE, window };

    expect(open(before).window).toBe("written");
    expect(written(open(before), before).window).toBe(window);
  });

  it("sends what is no number as it is, so that the server can say so", () =>
    expect(written({ ...open(SCHEDULE), last: "many" }, SCHEDULE).retention).toEqual({
      last: "many",
      within: "3d",
    }));
});

describe("a problem", () => {
  const problem = (field: string, message = "x") => ({ field, hint: null, line: null, message });
  const placed = (engine: string, found: ReturnType<typeof problem>) => sortProblems([found], ENGINES, engine);

  it("stands at its field", () => {
    expect(Object.keys(placed("files", problem("levels.full")).fields)).toEqual(["full"]);
    expect(Object.keys(placed("files", problem("source.exclude.0")).fields)).toEqual(["source.exclude"]);
    expect(Object.keys(placed("files", problem("source.paths")).fields)).toEqual(["source.path"]);
    expect(Object.keys(placed("files", problem("source.engine")).fields)).toEqual(["engine"]);
  });

  it("of the whole source stands at the field that it names", () => {
    const paths = problem("source", "write either `path` or `paths`");

    expect(placed("files", paths).fields["source.path"]).toBe(paths);
    expect(placed("command", paths).elsewhere).toEqual([paths]);
    const wal = problem("source", "`wal` needs `method: physical`");

    expect(placed("postgres", wal).fields["source.wal"]).toBe(wal);
  });

  it("that the form does not ask about stands above it", () => {
    for (const field of ["checksum", "", "source.workflow", "source.workflow.command"]) {
      expect(placed("command", problem(field)).elsewhere).toHaveLength(1);
    }
  });
});

describe("what the form opens", () => {
  it("keeps a pattern that has a comma, beside the one that is added", () => {
    const before = { ...SCHEDULE, source: { engine: "files", exclude: ["*,v"], path: "/srv/a,b" } };
    const form = open(before);

    expect([form["source.exclude"], form["source.path"]]).toEqual(['"*,v"', '"/srv/a,b"']);
    expect(written({ ...form, "source.exclude": '"*,v", *.tmp' }, before).source).toEqual({
      engine: "files",
      exclude: ["*,v", "*.tmp"],
      path: "/srv/a,b",
    });
  });

  it("shows a window until midnight, and keeps its name and its zone when another end is typed", () => {
    const before = { ...SCHEDULE, window: [{ from: "20:00", name: "evening", timezone: "Asia/Tokyo" }] };
    const form = open(before);

    expect(form).toMatchObject({
      days: "mon-sun",
      from: "20:00",
      to: "24:00",
      window: "custom",
      windowZone: "Asia/Tokyo",
    });
    expect(written({ ...form, to: "23:00" }, before).window).toEqual([{ ...before.window[0], to: "23:00" }]);
  });

  it("says in words which days a window has", () => {
    const window = [{ days: ["mon", "tue", "wed", "fri", "sun"], from: "20:00" }];

    expect(open({ ...SCHEDULE, window }).days).toBe("mon-wed, fri, sun");
  });

  it("leaves rules for keeping alone that were given and are empty", () =>
    expect(
      written({ ...open({ ...SCHEDULE, retention: {} }), group: "docs" }, { ...SCHEDULE, retention: {} }),
    ).toEqual({
      ...SCHEDULE,
      group: "docs",
      retention: {},
    }));
});
