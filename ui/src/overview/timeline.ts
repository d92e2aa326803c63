import type { Lane, NextRun, Timeline } from "../api/types";
import { pageInput } from "../format";

/** A bar on the timeline, in percent of its width. */
export type Bar = { count: number; end: number; kind: string; label: NextRun; start: number; waitsFrom: number | null };

const QUARTER = 900_000;
/** Thinner than this nobody sees or hits a bar. */
const THINNEST = 0.45;
/** Bars that are nearer than this become one. */
const NEAR = 0.25;

export const shareOf = (moment: string, { now, until }: Pick<Timeline, "now" | "until">): number => {
  const begin = Date.parse(now);

  return (100 * (Date.parse(moment) - begin)) / (Date.parse(until) - begin);
};

const within = (value: number): number => Math.min(100, Math.max(0, value));

/** The runs of a lane as bars; runs that follow each other closely are one bar. */
export const barsOf = (lane: Lane, timeline: Pick<Timeline, "now" | "until">): Bar[] => {
  const width = (100 * (lane.expected ?? 0) * 1000) / (Date.parse(timeline.until) - Date.parse(timeline.now));
  const bars: Bar[] = [];

  for (const run of lane.runs) {
    const due = within(shareOf(run.at, timeline));
    const start = within(shareOf(run.opens_at ?? run.at, timeline));
    const end = within(start + Math.max(width, THINNEST));
    const last = bars.at(-1);

    if (last !== undefined && start - last.end < NEAR && (last.label.skipped === null) === (run.skipped === null)) {
      bars[bars.length - 1] = { ...last, count: last.count + 1, end: Math.max(last.end, end) };
    } else {
      bars.push({ count: 1, end, kind: run.kind, label: run, start, waitsFrom: start > due ? due : null });
    }
  }

  return bars;
};

/** The most backups that run at one moment, when that is more than may. */
export const crowd = ({ lanes, slots }: Timeline): { at: string; count: number } | null => {
  const steps = lanes.flatMap(({ expected, runs }) =>
    runs.flatMap((run) => {
      if (run.opens_at === null) {
        return [];
      }
      const begin = Date.parse(run.opens_at);

      return [
        { at: begin, step: 1 },
        { at: begin + (expected ?? 60) * 1000, step: -1 },
      ];
    }),
  );
  let running = 0;
  let worst: { at: string; count: number } | null = null;

  for (const { at, step } of steps.sort((one, other) => one.at - other.at || one.step - other.step)) {
    running += step;
    if (slots !== null && running > Math.max(slots, worst?.count ?? 0)) {
      worst = { at: new Date(at).toISOString(), count: running };
    }
  }

  return worst;
};

/** A full hour that is marked. */
export type Tick = { at: string; share: number };

/** The full hours of the page's clock to mark, every third or so, with where they are. */
export const ticksOf = ({ now, until }: Pick<Timeline, "now" | "until">, every = 3): Tick[] => {
  const ticks: Tick[] = [];
  const first = Math.ceil(Date.parse(now) / QUARTER) * QUARTER; // some zones are three quarters of an hour off

  for (let moment = first; moment < Date.parse(until); moment += QUARTER) {
    const [hours, minutes] = pageInput(moment).slice(11).split(":").map(Number);
    const at = new Date(moment).toISOString();
    const share = shareOf(at, { now, until });

    if (minutes === 0 && (hours ?? 0) % every === 0 && share > 2 && share < 98) {
      ticks.push({ at, share });
    }
  }

  return ticks;
};
