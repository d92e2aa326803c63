import { describe, expect, it } from "vitest";

import type { SetSummary } from "../api/types";
import { SET } from "../test/samples";
import { chainsOf, proofsOf, railsOf } from "./chains";

const HOUR = 3_600_000;
const BEGIN = Date.UTC(2026, 10, 21);

const set = (id: number, kind: SetSummary["kind"], parent: number | null, base: number | null): SetSummary => ({
  ...SET,
  base: base === null ? null : String(base),
  consistent_at: new Date(BEGIN + id * HOUR).toISOString(),
  kind,
  parent: parent === null ? null : String(parent),
  set_id: String(id),
});

const LIST = [
  set(6, "full", null, null),
  set(5, "archive_log", 4, 1),
  set(4, "incremental", 3, 1),
  set(3, "differential", 1, 1),
  set(2, "incremental", 1, 1),
  set(1, "full", null, null),
];

describe("chains", () => {
  it("hang under their full set, that with the newest first", () => {
    const [newest, older] = chainsOf(LIST);

    expect([newest?.id, newest?.links.length]).toEqual(["6", 0]);
    expect(older?.full?.set_id).toBe("1");
    expect(older?.links.map(({ depth, set: { set_id: id } }) => [id, depth])).toEqual([
      ["2", 1],
      ["3", 1],
      ["4", 2],
      ["5", 1],
    ]);
    expect(older?.bytes).toBe(5 * SET.bytes_stored);
  });

  it("have lines that go on as long as something hangs on them", () => {
    const links = chainsOf(LIST)[1]?.links ?? [];

    expect(links.map((_, index) => railsOf(links, index))).toEqual([[true], [true], [true, false], [false]]);
  });

  it("are shown also where the list does not reach back to their full set", () => {
    const [chain] = chainsOf(LIST.slice(1, 3));

    expect([chain?.id, chain?.full, chain?.links.length]).toEqual(["1", null, 2]);
  });

  it("say what is proven of them, the worst first", () => {
    const [one] = chainsOf([SET]);
    const [chain] = chainsOf([
      { ...set(3, "incremental", 2, 1), unrestorable: "'2' is quarantined", verified_outcome: null },
      { ...set(2, "incremental", 1, 1), state: "quarantined", unrestorable: "it is quarantined" },
      set(1, "full", null, null),
    ]);

    expect(one && proofsOf(one).map(({ label }) => label)).toEqual(["Verified"]);
    expect(chain && proofsOf(chain).map(({ label }) => label)).toEqual([
      "1 damaged",
      "2 cannot be restored",
      "1 of 3 sets verified",
    ]);
  });

  it("are made of thousands of sets without a wait", () => {
    const many = Array.from({ length: 5_000 }, (_, id) => set(id, id === 0 ? "full" : "incremental", id - 1, 0));
    const begun = performance.now();

    expect(chainsOf(many)[0]?.links).toHaveLength(4_999);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});
