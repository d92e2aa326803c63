import { describe, expect, it } from "vitest";

import type { ProtectionState, Status } from "./api/types";
import { BROKEN, MAINTENANCE, SCHEDULE, STATUS, VIEWER } from "./test/samples";
import { headline, needsAttention, protectionOf, whyNotRun, whyNotToggle, whyReadOnly } from "./words";

const status = (protection: Partial<Record<ProtectionState, number>>, rest: Partial<Status> = {}): Status => {
  const all = { ...STATUS.protection, good: 0, ...protection };
  const troubled = all.broken + all.lost + all.late + all.at_risk;

  return {
    ...STATUS,
    attention: troubled,
    protection: all,
    total: Object.values(all).reduce((sum, count) => sum + count, 0),
    troubled,
    ...rest,
  };
};

const DEAD = { healthy: false, heartbeat: STATUS.now, hint: null, name: "scheduler" };

describe("the one sentence", () => {
  it.each([
    ["Everything is backed up", "good", status({ good: 3 })],
    ["Everything is backed up", "good", status({ good: 4 }, { disabled: 1 })],
    ["1 of 3 schedules backed up so far", "calm", status({ good: 1, never: 2 })],
    ["Waiting for the first backup", "calm", status({ never: 2 })],
    ["All schedules are disabled", "calm", status({ good: 2 }, { disabled: 2 })],
    ["Backing up now", "busy", status({ good: 3 }, { running: 1 })],
    ["Maintenance: nothing starts", "calm", status({ good: 3 }, { maintenance: MAINTENANCE })],
    ["Backing up now", "busy", status({ good: 3 }, { maintenance: MAINTENANCE, running: 1 })],
    ["1 schedule needs attention", "bad", status({ good: 3, late: 1 }, { running: 1 })],
    ["3 schedules need attention", "bad", status({ at_risk: 1, broken: 1, lost: 1 })],
    ["2 things need attention", "bad", status({ late: 1 }, { attention: 2 })],
    ["1 thing needs attention", "bad", status({ good: 1 }, { attention: 1 })],
    [
      "No backup starts: the scheduler is not running",
      "bad",
      status({ good: 1 }, { attention: 1, components: [DEAD] }),
    ],
    [
      "No backup starts: the scheduler is not running, and 1 schedule needs attention",
      "bad",
      status({ good: 1, late: 1 }, { attention: 2, components: [DEAD] }),
    ],
    ["No schedules yet", "calm", status({})],
  ])("is %s (%s)", (text, mood, given) => expect(headline(given)).toMatchObject({ mood, text }));

  it("is followed by the share that is protected", () =>
    expect(headline(status({ good: 3, never: 2 }, { disabled: 1 })).detail).toBe(
      "3 of 5 schedules protected · 2 without a backup yet · 1 disabled",
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

  it("says of a schedule whose newer runs fail that it is failing, though its newest set is good", () => {
    const failing = { ...SCHEDULE, protection: { ...SCHEDULE.protection, failures_in_row: 2, needs_attention: true } };
    expect(protectionOf(SCHEDULE).label).toBe("Protected");
    expect(protectionOf(failing).label).toBe("Failing");
    expect([needsAttention(SCHEDULE), needsAttention(failing)]).toEqual([false, true]);
    expect(protectionOf(BROKEN).label).toBe("Broken");
  });
});
