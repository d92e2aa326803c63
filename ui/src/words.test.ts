import { describe, expect, it } from "vitest";

import type { Condition, Status } from "./api/types";
import { MAINTENANCE, SCHEDULE, STATUS, VIEWER } from "./test/samples";
import { headline, needsAttention, whyNotRun, whyNotToggle, whyReadOnly } from "./words";

const status = (conditions: Partial<Record<Condition, number>>, rest: Partial<Status> = {}): Status => {
  const all = { ...STATUS.conditions, protected: 0, ...conditions };

  return {
    ...STATUS,
    attention: all.rejected + all.failed + all.stale + all.outdated,
    conditions: all,
    total: Object.values(all).reduce((sum, count) => sum + count, 0),
    ...rest,
  };
};

describe("the one sentence", () => {
  it.each([
    ["Everything is backed up", "good", status({ protected: 3 })],
    ["Everything is backed up", "good", status({ disabled: 1, protected: 3 })],
    ["Nearly everything is backed up", "calm", status({ protected: 3, waiting: 1 })],
    ["Waiting for the first backup", "calm", status({ waiting: 2 })],
    ["All schedules are disabled", "calm", status({ disabled: 2 })],
    ["Backing up now", "busy", status({ protected: 3 }, { running: 1 })],
    ["Maintenance: nothing starts", "calm", status({ protected: 3 }, { maintenance: MAINTENANCE })],
    ["Backing up now", "busy", status({ protected: 3 }, { maintenance: MAINTENANCE, running: 1 })],
    ["1 schedule needs attention", "bad", status({ failed: 1, protected: 3 }, { running: 1 })],
    ["3 schedules need attention", "bad", status({ outdated: 1, rejected: 1, stale: 1 })],
    ["2 things need attention", "bad", status({ failed: 1 }, { attention: 2 })],
    ["1 thing needs attention", "bad", status({ protected: 1 }, { attention: 1 })],
    ["No schedules yet", "calm", status({})],
  ])("is %s (%s)", (text, mood, given) => expect(headline(given)).toMatchObject({ mood, text }));

  it("is followed by the share that is protected", () =>
    expect(headline(status({ disabled: 1, protected: 3, waiting: 1 })).detail).toBe(
      "3 of 5 schedules protected · 1 without a backup yet · 1 disabled",
    ));
});

describe("run now", () => {
  it.each([
    [null, SCHEDULE, false],
    ["a run is already on its way", SCHEDULE, true],
    ["the schedule is disabled; enable it first", { ...SCHEDULE, enabled: false }, false],
    ["there is no DAG for it yet", { ...SCHEDULE, enabled: null }, false],
    ["the schedule is rejected; mend its problems first", { ...SCHEDULE, state: "rejected" as const }, false],
    ["your role may look", { ...SCHEDULE, permissions: VIEWER }, false],
  ])("is off because: %s", (why, schedule, isActive) => expect(whyNotRun(schedule, isActive)).toBe(why));
});

describe("the switch", () => {
  it.each([
    [null, SCHEDULE],
    ["there is no DAG for it yet", { ...SCHEDULE, enabled: null }],
    ["your role may look", { ...SCHEDULE, permissions: VIEWER }],
  ])("is off because: %s", (why, schedule) => expect(whyNotToggle(schedule)).toBe(why));
});

describe("the page", () => {
  it("is read-only when nothing on it can be changed", () => {
    expect(whyReadOnly([{ ...SCHEDULE, permissions: VIEWER }])).toBe("your role may look");
    expect(whyReadOnly([SCHEDULE, { ...SCHEDULE, permissions: VIEWER }])).toBeNull();
    expect(whyReadOnly([])).toBeNull();
  });

  it.each([
    ["protected", false],
    ["waiting", false],
    ["disabled", false],
    ["stale", true],
    ["outdated", true],
    ["failed", true],
    ["rejected", true],
  ] as const)("says whether %s needs attention: %s", (condition, expected) =>
    expect(needsAttention({ ...SCHEDULE, condition })).toBe(expected),
  );
});
