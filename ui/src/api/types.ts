// What the API answers. The server's models (plugin/schemas/schedules.py) are the source; a test compares the two.

export type ExecutionStatus = "pending" | "running" | "paused" | "completed" | "failed" | "skipped" | "cancelled";

export type Kind = "full" | "incremental" | "differential" | "archive_log";

export type State = "loaded" | "rejected" | "last_known_good" | "pending";

export type Condition = "rejected" | "failed" | "stale" | "outdated" | "disabled" | "waiting" | "protected";

export type LoadProblem = {
  file: string;
  line: number | null;
  column: number | null;
  path: string | null;
  message: string;
  hint: string | null;
};

export type FileProblem = LoadProblem & {
  schedule_id: string | null;
};

export type Permissions = {
  toggle: boolean;
  run: boolean;
  cancel: boolean;
  edit: boolean;
  reason: string | null;
};

export type Progress = {
  stage: string;
  percent: number | null;
  bytes_done: number | null;
  bytes_total: number | null;
  files_done: number | null;
  files_total: number | null;
  rate: number | null;
  eta: number | null;
};

export type Run = {
  schedule_id: string;
  dag_id: string;
  run_id: string;
  status: ExecutionStatus;
  reason: string | null;
  trigger: string;
  kind: string | null;
  user: string | null;
  note: string | null;
  since: string;
  queued_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  duration: number | null;
  attempts: number;
  bytes_read: number | null;
  bytes_stored: number | null;
  files: number | null;
  set_id: string | null;
  error: string | null;
  hint: string | null;
  failure_class: string | null;
  progress: Progress | null;
};

export type NextRun = {
  at: string;
  kind: string;
  opens_at: string | null;
  skipped: string | null;
};

export type UpcomingRun = NextRun & {
  schedule_id: string;
  timezone: string;
};

export type Rhythm = {
  kind: string;
  when: string;
  text: string;
};

export type SavedBy = {
  version: number;
  author: string;
  saved_at: string;
};

export type HoldInfo = {
  id: number;
  kind: string;
  until: string | null;
  reason: string | null;
  author: string;
  since: string;
  text: string;
};

export type ScheduleSummary = {
  id: string;
  dag_id: string;
  description: string | null;
  group: string | null;
  tags: string[];
  engine: string | null;
  source: string | null;
  rhythms: Rhythm[];
  timezone: string;
  origin: string;
  made: SavedBy | null;
  clash: string | null;
  holds: HoldInfo[];
  state: State;
  condition: Condition;
  condition_reason: string | null;
  condition_hint: string | null;
  enabled: boolean | null;
  problems: LoadProblem[];
  next_run: NextRun | null;
  active_run: Run | null;
  last_run: Run | null;
  last_good: Run | null;
  alert_after: number | null;
  permissions: Permissions;
};

export type ScheduleDetail = ScheduleSummary & {
  definition: Record<string, unknown>;
  repository: string | null;
};

export type ScheduleList = {
  now: string;
  total: number;
  limit: number;
  offset: number;
  groups: string[];
  tags: string[];
  may_create: boolean;
  schedules: ScheduleSummary[];
};

export type RunList = {
  now: string;
  next_before: string | null;
  runs: Run[];
};

export type NextRunList = {
  timezone: string;
  runs: NextRun[];
};

export type Component = {
  name: string;
  healthy: boolean | null;
  heartbeat: string | null;
  hint: string | null;
};

export type Age = {
  schedule_id: string;
  at: string;
  seconds: number;
  limit: number | null;
};

export type Maintenance = {
  since: string;
  until: string | null;
  author: string;
  reason: string | null;
};

export type MaintenanceState = {
  maintenance: Maintenance | null;
};

export type Status = {
  now: string;
  version: string;
  healthy: boolean;
  components: Component[];
  total: number;
  conditions: Record<Condition, number>;
  running: number;
  maintenance: Maintenance | null;
  may_maintain: boolean;
  attention: number;
  oldest_good: Age | null;
  next_runs: UpcomingRun[];
  load_problems: FileProblem[];
};

export type Toggled = {
  schedule_id: string;
  enabled: boolean;
};

export type Started = {
  schedule_id: string;
  dag_id: string;
  run_id: string;
};

export type CancelledRun = {
  dag_id: string;
  run_id: string;
};

export type FieldProblem = {
  field: string;
  message: string;
  hint: string | null;
  line: number | null;
};

export type CautionNote = {
  message: string;
  hint: string;
  at: string | null;
  schedules: string[];
};

export type Validation = {
  valid: boolean;
  definition: Record<string, unknown> | null;
  problems: FieldProblem[];
  warnings: CautionNote[];
  timezone: string;
  next_runs: NextRun[];
};

export type KeyChange = {
  key: string;
  before: unknown;
  after: unknown;
};

export type VersionEntry = {
  version: number;
  author: string;
  saved_at: string;
  deleted: boolean;
  changes: KeyChange[];
};

export type VersionList = {
  schedule_id: string;
  versions: VersionEntry[];
};

export type Deleted = {
  schedule_id: string;
  version: number;
};

export type Lifted = {
  schedule_id: string;
  hold_id: number;
};

export type BulkResult = {
  schedule_id: string;
  done: boolean;
  detail: string | null;
  hint: string | null;
};

export type BulkResults = {
  done: number;
  refused: number;
  results: BulkResult[];
};

export type Controlled = {
  dag_id: string;
  run_id: string;
  paused: boolean;
};

export type OpenSpan = {
  opens_at: string;
  closes_at: string;
};

export type Lane = {
  schedule_id: string;
  timezone: string;
  expected: number | null;
  windows: OpenSpan[];
  runs: NextRun[];
};

export type Timeline = {
  now: string;
  until: string;
  slots: number | null;
  total: number;
  lanes: Lane[];
};

export type DayStrips = {
  days: string[];
  schedules: Record<string, (ExecutionStatus | null)[]>;
};

export type VerificationLevel = "quick" | "standard" | "full" | "restore_test";

export type VerificationOutcome = "passed" | "failed" | "inconclusive";

export type SetSummary = {
  base: string | null;
  bytes_read: number;
  bytes_stored: number;
  consistent_at: string;
  engine: string;
  files: number;
  finished_at: string;
  kind: Kind;
  locked_until: string | null;
  parent: string | null;
  pinned: boolean;
  set_id: string;
  state: string;
  verified_at: string | null;
  verified_level: VerificationLevel | null;
  verified_outcome: VerificationOutcome | null;
  warnings: number;
};

export type SetList = {
  bytes_stored: number;
  schedule_id: string;
  sets: SetSummary[];
  total: number;
};

export type VerificationNote = {
  bytes_read: number;
  damages: Record<string, unknown>[];
  finished_at: string;
  level: VerificationLevel;
  outcome: VerificationOutcome;
  proven: string | null;
  reason: string | null;
  restore_seconds: number | null;
  started_at: string;
};

export type PieceFacts = {
  checksum: string;
  name: string;
  size: number;
  stream: string;
};

export type SetDetail = SetSummary & {
  chain: SetSummary[];
  counts: Record<string, number>;
  notes: string[];
  pieces: PieceFacts[];
  run_id: string;
  schedule_id: string;
  verifications: VerificationNote[];
};

export type RecoveryPlan = {
  at: string;
  bytes_to_read: number;
  command: string;
  consistent_at: string | null;
  earliest: string | null;
  gaps: string[];
  measured: boolean;
  schedule_id: string;
  seconds: number | null;
  sets: SetSummary[];
};

export type RetentionVerdict = {
  bytes_stored: number;
  consistent_at: string;
  kept: boolean;
  kind: Kind;
  reasons: string[];
  set_id: string;
};

export type RetentionView = {
  bytes_kept: number;
  bytes_removed: number;
  policy: Record<string, unknown> | null;
  refused: string | null;
  removed: number;
  schedule_id: string;
  sets: RetentionVerdict[];
  tried: boolean;
};

export type Pinned = {
  locked_until: string | null;
  pinned: boolean;
  set_id: string;
};

export type ScheduleProof = {
  bytes_stored: number;
  chains: number;
  engine: string | null;
  last_failure: string | null;
  last_good_at: string | null;
  last_good_set: string | null;
  last_restore_seconds: number | null;
  last_restore_test_at: string | null;
  last_restore_test_outcome: string | null;
  last_verified_at: string | null;
  last_verified_level: string | null;
  last_verified_set: string | null;
  newest_recoverable: string | null;
  oldest_recoverable: string | null;
  quarantined: number;
  schedule_id: string;
  sets: number;
  verdict: string;
  why: string;
};

export type ReportSummary = {
  now: string;
  reports: ScheduleProof[];
  sentence: string;
};
