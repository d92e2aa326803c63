import type {
  ExecutionStatus,
  Kind,
  ProtectionState,
  ScheduleSummary,
  SetSummary,
  Status,
  VerificationLevel,
  VerificationOutcome,
} from "./api/types";
import { formatCount } from "./format";

/** Airflow's own names for colours, so that a state looks the same here and on the grid. */
export type Palette =
  "danger" | "deferred" | "failed" | "info" | "none" | "queued" | "running" | "skipped" | "success" | "warning";

type Word = { label: string; palette: Palette };

export const PROTECTION: Record<ProtectionState, Word> = {
  at_risk: { label: "At risk", palette: "warning" },
  broken: { label: "Broken", palette: "failed" },
  good: { label: "Protected", palette: "success" },
  late: { label: "Late", palette: "failed" },
  lost: { label: "Lost", palette: "failed" },
  never: { label: "No backup yet", palette: "queued" },
};

/** How safe a schedule is, in one word; a good set does not hide that newer runs fail. */
export const protectionOf = ({ protection }: ScheduleSummary): Word =>
  protection.state === "good" && protection.needs_attention
    ? { label: "Failing", palette: "failed" }
    : PROTECTION[protection.state];

export const STATUSES: Record<ExecutionStatus, Word> = {
  cancelled: { label: "Cancelled", palette: "none" },
  completed: { label: "Completed", palette: "success" },
  failed: { label: "Failed", palette: "failed" },
  paused: { label: "Paused", palette: "deferred" },
  pending: { label: "Waiting", palette: "queued" },
  running: { label: "Running", palette: "running" },
  skipped: { label: "Skipped", palette: "skipped" },
};

/** Whether nothing more will happen to a run. */
export const isOver = ({ status }: { readonly status: ExecutionStatus }): boolean =>
  !["paused", "pending", "running"].includes(status);

export const LEVELS: Record<VerificationLevel, string> = {
  full: "every byte read and decoded",
  quick: "sizes and manifests",
  restore_test: "restored and compared",
  standard: "every byte read",
};

export const LEVEL_NAMES: Record<VerificationLevel, string> = {
  full: "Full",
  quick: "Quick",
  restore_test: "Restore test",
  standard: "Standard",
};

export const OUTCOMES: Record<VerificationOutcome, Word> = {
  failed: { label: "Failed", palette: "failed" },
  inconclusive: { label: "Inconclusive", palette: "warning" },
  passed: { label: "Passed", palette: "success" },
};

/** The kind of a set, as people say it. */
export const kindOf = (kind: Kind): string => kind.replace("_", " ");

/** What is proven of a set, in one word. */
export const proofOf = (set: SetSummary): Word => {
  if (set.state === "quarantined" || set.verified_outcome === "failed") {
    return { label: "Damaged", palette: "failed" };
  }
  if (set.verified_outcome === "passed" && set.verified_level !== null) {
    return { label: `Verified: ${LEVELS[set.verified_level]}`, palette: "success" };
  }

  return { label: set.verified_outcome === null ? "Not verified" : "Could not be verified", palette: "none" };
};

export const TRIGGERS: Record<string, string> = {
  command_line: "command line",
  dependency: "after another schedule",
  manual: "by hand",
  schedule: "on schedule",
};

export const COMPONENTS: Record<string, string> = {
  dag_processor: "DAG processor",
  scheduler: "Scheduler",
  triggerer: "Triggerer",
};

export const needsAttention = (schedule: ScheduleSummary): boolean => schedule.protection.needs_attention;

export type Headline = { detail: string; mood: "bad" | "busy" | "calm" | "good"; text: string };

/** The one sentence at the top: the worst that is true. */
export const headline = (status: Status): Headline => {
  const { attention, disabled, protection, running, total, troubled } = status;
  const detail = shares(status);

  const stopped = status.components.filter(({ healthy }) => healthy === false).map(({ name }) => name);

  if (stopped.includes("scheduler")) {
    const more =
      troubled > 0 ? `, and ${formatCount(troubled, "schedule")} ${troubled === 1 ? "needs" : "need"} attention` : "";

    return { detail, mood: "bad", text: `No backup starts: the scheduler is not running${more}` };
  }
  if (attention > 0) {
    const what = troubled === attention ? formatCount(attention, "schedule") : formatCount(attention, "thing");

    return { detail, mood: "bad", text: `${what} ${attention === 1 ? "needs" : "need"} attention` };
  }
  if (status.maintenance !== null && running === 0) {
    return { detail, mood: "calm", text: "Maintenance: nothing starts" };
  }
  if (total === 0) {
    return { detail: "Nothing is backed up so far.", mood: "calm", text: "No schedules yet" };
  }
  if (running > 0) {
    return { detail, mood: "busy", text: "Backing up now" };
  }
  if (disabled === total) {
    return { detail, mood: "calm", text: "All schedules are disabled" };
  }
  if (protection.good === 0) {
    return { detail, mood: "calm", text: "Waiting for the first backup" };
  }
  if (protection.never > 0) {
    return { detail, mood: "calm", text: `${protection.good} of ${formatCount(total, "schedule")} backed up so far` };
  }

  return { detail, mood: "good", text: "Everything is backed up" };
};

const shares = ({ disabled, protection, running, total }: Status): string =>
  [
    `${protection.good} of ${formatCount(total, "schedule")} protected`,
    running > 0 ? `${running} running` : "",
    protection.never > 0 ? `${protection.never} without a backup yet` : "",
    disabled > 0 ? `${disabled} disabled` : "",
  ]
    .filter(Boolean)
    .join(" · ");

/** Why a schedule cannot be run now, or null when it can. */
export const whyNotRun = (schedule: ScheduleSummary, isActive: boolean): string | null => {
  if (!schedule.permissions.run) {
    return schedule.permissions.reason ?? "your role does not allow it";
  }
  if (schedule.state === "rejected") {
    return "the schedule is rejected; mend its problems first";
  }
  if (schedule.enabled === null) {
    return "there is no DAG for it yet";
  }
  if (!schedule.enabled) {
    return "the schedule is disabled; enable it first";
  }

  return isActive ? "a run is already on its way" : null;
};

/** Why the switch is off limits, or null when it is not. */
export const whyNotToggle = (schedule: ScheduleSummary): string | null => {
  if (!schedule.permissions.toggle) {
    return schedule.permissions.reason ?? "your role does not allow it";
  }

  return schedule.enabled === null ? "there is no DAG for it yet" : null;
};

/** Why nothing at all can be changed, or null when something can. */
export const whyReadOnly = (schedules: ScheduleSummary[]): string | null => {
  const [first] = schedules;
  const mayNothing = schedules.every(
    ({ permissions: { cancel, edit, run, toggle } }) => !cancel && !edit && !run && !toggle,
  );

  return first !== undefined && mayNothing ? (first.permissions.reason ?? "your role may only look") : null;
};
