import type { Lane, Timeline } from "../api/types";
import { barsOf } from "./timeline";

/** What stands in one row of the timeline: a schedule, or all of a group or of an engine. */
export type Rows = "engine" | "group" | "schedule";

/** Schedules that share a row, in the order in which they run. */
export type Bundle = { readonly key: string; readonly lanes: readonly Lane[]; readonly name: string };

/** Runs of several schedules that follow each other closely, in percent of the width. */
export type Block = {
  readonly end: number;
  readonly runs: number;
  readonly schedules: ReadonlySet<string>;
  readonly start: number;
};

/** More schedules than this are easier to read in groups. */
const FEW = 12;
const NEAR = 0.25;

/** What is easiest to read: schedules while they are few, else their groups, or engines where nothing is grouped. */
export const usualRows = ({ lanes, total }: Pick<Timeline, "lanes" | "total">): Rows =>
  total <= FEW ? "schedule" : lanes.some(({ group }) => group !== null) ? "group" : "engine";

/** Put lanes together, the soonest first; those without a group last. */
export const bundlesOf = (lanes: readonly Lane[], rows: Exclude<Rows, "schedule">): Bundle[] => {
  const found = new Map<string, Lane[]>();

  for (const lane of lanes) {
    const key = (rows === "group" ? lane.group : lane.engine) ?? "";
    const others = found.get(key);

    if (others === undefined) {
      found.set(key, [lane]);
    } else {
      others.push(lane);
    }
  }

  return [...found]
    .map(([key, some]) => ({ key, lanes: some, name: key === "" ? "Without a group" : key }))
    .sort((one, other) => Number(one.key === "") - Number(other.key === ""));
};

/** When something of a bundle runs; what is skipped does not. */
export const blocksOf = ({ lanes }: Bundle, timeline: Pick<Timeline, "now" | "until">): Block[] => {
  const bars = lanes
    .flatMap((lane) => barsOf(lane, timeline).map((bar) => ({ ...bar, id: lane.schedule_id })))
    .filter(({ label }) => label.skipped === null)
    .sort((one, other) => one.start - other.start);
  const blocks: Block[] = [];

  for (const { count, end, id, start } of bars) {
    const last = blocks.at(-1);

    if (last !== undefined && start - last.end < NEAR) {
      blocks[blocks.length - 1] = {
        end: Math.max(last.end, end),
        runs: last.runs + count,
        schedules: new Set([...last.schedules, id]),
        start: last.start,
      };
    } else {
      blocks.push({ end, runs: count, schedules: new Set([id]), start });
    }
  }

  return blocks;
};
