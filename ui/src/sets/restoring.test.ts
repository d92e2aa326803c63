import { describe, expect, it } from "vitest";

import type { RecoveryPlan, SetSummary } from "../api/types";
import { SET } from "../test/samples";
import { kindsOf, pathsOf, problemOf, shellWord } from "./restoring";

const plan = (...kinds: SetSummary["kind"][]): RecoveryPlan =>
  ({ sets: kinds.map((kind) => ({ ...SET, kind })) }) as Partial<RecoveryPlan> as RecoveryPlan;

describe("what is restored", () => {
  it("is told in a few words, however long its chain is", () => {
    expect(kindsOf(plan("full"))).toBe("full");
    expect(kindsOf(plan("full", "incremental", "incremental"))).toBe("full + 2 incremental");
    expect(kindsOf(plan("full", "archive_log"))).toBe("full + archive log");
    expect(kindsOf(plan("full", "archive_log", "archive_log"))).toBe("full + 2 archive logs");
  });

  it("is named one a line", () => {
    expect(pathsOf(" a \r\n\n b/c\n")).toEqual(["a", "b/c"]);
    expect(problemOf(["x".repeat(4_096)])).toBeNull();
    expect(problemOf(["x".repeat(4_097)])).toBe("no path has more than 4096 letters");
  });

  it("goes through a shell as it is", () => {
    expect(["a/b", "", "it's", "$HOME", "connection:pg/shop", "a\nb"].map(shellWord)).toEqual([
      "a/b",
      "''",
      `'it'"'"'s'`,
      "'$HOME'",
      "connection:pg/shop",
      "'a\nb'",
    ]);
  });
});
