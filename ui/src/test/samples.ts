import type { Maintenance, Run, ScheduleSummary, Status } from "../api/types";

export const RUN: Run = {
  attempts: 1,
  bytes_read: 3_000_000,
  bytes_stored: 1_000_000,
  dag_id: "backup__wiki",
  duration: 41,
  error: null,
  failure_class: null,
  files: 12,
  finished_at: "2026-11-21T02:00:42Z",
  hint: null,
  kind: "full",
  note: null,
  progress: null,
  queued_at: "2026-11-21T02:00:00Z",
  reason: null,
  run_id: "scheduled__1",
  schedule_id: "wiki",
  set_id: "20261121T020000Z-0123456789",
  since: "2026-11-21T02:00:00Z",
  started_at: "2026-11-21T02:00:01Z",
  status: "completed",
  trigger: "schedule",
  user: null,
};

export const SCHEDULE: ScheduleSummary = {
  active_run: null,
  alert_after: null,
  clash: null,
  dag_id: "backup__wiki",
  description: "Company wiki",
  enabled: true,
  engine: "files",
  group: "files",
  holds: [],
  id: "wiki",
  last_good: RUN,
  last_run: RUN,
  made: null,
  next_run: { at: "2026-11-22T02:00:00Z", kind: "full", opens_at: "2026-11-22T02:00:00Z", skipped: null },
  origin: "schedules.yaml:5",
  permissions: { cancel: true, edit: true, reason: null, run: true, toggle: true },
  problems: [],
  protection: {
    deadline: 172_800,
    failures_in_row: 0,
    hint: null,
    late_at: "2026-11-23T02:00:00Z",
    needs_attention: false,
    reason: "the newest set is good",
    since: "2026-11-21T02:00:00Z",
    state: "good",
  },
  rhythms: [{ kind: "full", text: "At 02:00", when: "0 2 * * *" }],
  source: "/srv/wiki",
  state: "loaded",
  tags: ["prod"],
  timezone: "Europe/Berlin",
};

export const BROKEN: ScheduleSummary = {
  ...SCHEDULE,
  enabled: null,
  id: "broken",
  last_good: null,
  last_run: null,
  next_run: null,
  problems: [
    { column: 5, file: "schedules.yaml", hint: "did you mean `cron`?", line: 12, message: "unknown key `crn`", path: "schedules.1.crn" },
  ],
  protection: {
    ...SCHEDULE.protection,
    hint: "did you mean `cron`?",
    needs_attention: true,
    reason: "rejected, and nothing runs: unknown key `crn`",
    state: "broken",
  },
  state: "rejected",
};

export const STATUS: Status = {
  attention: 0,
  components: [],
  disabled: 0,
  healthy: true,
  load_problems: [],
  maintenance: null,
  may_maintain: true,
  next_runs: [],
  now: "2026-11-21T12:00:00Z",
  oldest_good: { at: "2026-11-21T02:00:42Z", limit: null, schedule_id: "wiki", seconds: 36_000 },
  protection: { at_risk: 0, broken: 0, good: 1, late: 0, lost: 0, never: 0 },
  running: 0,
  total: 1,
  troubled: 0,
  version: "0.1.0",
};

export const MAINTENANCE: Maintenance = {
  author: "ada",
  reason: "the vault moves",
  since: "2026-11-21T11:00:00Z",
  until: null,
};

export const VIEWER = { cancel: false, edit: false, reason: "your role may look", run: false, toggle: false };
