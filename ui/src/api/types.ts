// What the API answers, under short names. ./generated.ts is made from its description: scripts/reference.
import type { components, operations } from "./generated";

type Schemas = components["schemas"];

export type Age = Schemas["Age"];
export type BulkResult = Schemas["BulkResult"];
export type BulkResults = Schemas["BulkResults"];
export type CancelledRun = Schemas["CancelledRun"];
export type CautionNote = Schemas["CautionNote"];
export type Component = Schemas["Component"];
export type ConnectionCoverage = Schemas["ConnectionCoverage"];
export type CoverageList = Schemas["CoverageList"];
export type Controlled = Schemas["Controlled"];
export type DayStrips = Schemas["DayStrips"];
export type Deleted = Schemas["Deleted"];
export type ExecutionStatus = Schemas["ExecutionStatus"];
export type EventList = Schemas["EventList"];
export type FeedEvent = Schemas["FeedEvent"];
export type FieldProblem = Schemas["FieldProblem"];
export type FileProblem = Schemas["FileProblem"];
export type HoldInfo = Schemas["HoldInfo"];
export type KeyChange = Schemas["KeyChange"];
export type Kind = Schemas["Kind"];
export type Lane = Schemas["Lane"];
export type Lifted = Schemas["Lifted"];
type ListParameters = NonNullable<operations["list_schedules_api_v1_schedules_get"]["parameters"]["query"]>;

/** What the list can be narrowed to; empty: all. */
export type ListState = "" | NonNullable<ListParameters["state"]>;

export type LoadProblem = Schemas["LoadProblem"];
export type Maintenance = Schemas["Maintenance"];
export type MaintenanceState = Schemas["MaintenanceState"];
export type NextRun = Schemas["NextRun"];
export type NextRunList = Schemas["NextRunList"];
export type OpenSpan = Schemas["OpenSpan"];
export type Permissions = Schemas["Permissions"];
export type PieceFacts = Schemas["PieceFacts"];
export type Pinned = Schemas["Pinned"];
export type Progress = Schemas["Progress"];
export type ReceiverList = Schemas["ReceiverList"];
export type ReceiverState = Schemas["ReceiverState"];
export type Tested = Schemas["Tested"];
export type RecoveryPlan = Schemas["RecoveryPlan"];
export type ProtectionState = Schemas["ProtectionState"];
export type ReportSummary = Schemas["ReportSummary"];
export type RetentionVerdict = Schemas["RetentionVerdict"];
export type RetentionView = Schemas["RetentionView"];
export type Rhythm = Schemas["Rhythm"];
export type Run = Schemas["Run"];
export type RunDetail = Schemas["RunDetail"];
export type RunList = Schemas["RunList"];
export type SavedBy = Schemas["SavedBy"];
export type ScheduleDetail = Schemas["ScheduleDetail"];
export type ScheduleList = Schemas["ScheduleList"];
export type ScheduleProof = Schemas["ScheduleProof"];
export type ScheduleSummary = Schemas["ScheduleSummary"];
export type SetDetail = Schemas["SetDetail"];
export type SetList = Schemas["SetList"];
export type SetSummary = Schemas["SetSummary"];
export type Started = Schemas["Started"];
export type State = Schemas["State"];
// Every state is counted, also where there is none.
export type Status = Omit<Schemas["Status"], "protection"> & { protection: Record<ProtectionState, number> };
export type Timeline = Schemas["Timeline"];
export type Toggled = Schemas["Toggled"];
export type UpcomingRun = Schemas["UpcomingRun"];
export type Validation = Schemas["Validation"];
export type VerificationLevel = Schemas["VerificationLevel"];
export type VerificationNote = Schemas["VerificationNote"];
export type VerificationOutcome = Schemas["VerificationOutcome"];
export type VersionEntry = Schemas["VersionEntry"];
export type VersionList = Schemas["VersionList"];
