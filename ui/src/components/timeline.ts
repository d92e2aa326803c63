import type { Lane, NextRun, Timeline } from "../api/types";

/** A bar on the timeline, in percent of its width. */
export type Bar = { count: number; end: number; kind: string; label: NextRun; start: number; waitsFrom: number | null };

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

/** The full hours to mark, every third or so, with where they are. */
export const ticksOf = ({ now, until }: Pick<Timeline, "now" | "until">, every = 3): { at: string; share: number }[] => {
  const ticks: { at: string; share: number }[] = [];
  const date = new Date(Date.parse(now));

  date.setMinutes(0, 0, 0);
  while (date.getTime() < Date.parse(until)) {
    const at = date.toISOString();
    const share = shareOf(at, { now, until });

    if (date.getHours() % every === 0 && share > 2 && share < 98) {
      ticks.push({ at, share });
    }
    date.setHours(date.getHours() + 1);
  }

  return ticks;
};
