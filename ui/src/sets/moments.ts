import type { SetList, SetSummary } from "../api/types";
import { formatMoment } from "../format";
import { kindOf } from "../words";

export type Stretch = { from: number; until: number };

/** A time of which nothing of its own can be restored, and why: an earlier moment comes back for it, or none. */
export type Gap = Stretch & { why: string };

/** All that can be restored of a schedule, in milliseconds. */
export type Axis = Stretch & {
  gaps: readonly Gap[];
  /** The moments to go to by the keyboard: of each set that can be restored, the oldest first. */
  moments: readonly number[];
  /** The moments of sets that need no logs: where the lines are drawn. */
  marks: readonly number[];
  /** Where any moment can be restored. */
  spans: readonly Stretch[];
};

const momentOf = ({ consistent_at: at }: SetSummary): number => Date.parse(at);

const isLog = ({ kind }: SetSummary): boolean => kind === "archive_log";

/** A gap lasts from a set that is lost to the next one that can be restored without it. */
const gapOf = (lost: SetSummary, marks: readonly number[], spans: readonly Stretch[], end: number): Gap[] => {
  const at = momentOf(lost);
  // What logs bring back is lost from where the last good one ends.
  const from = isLog(lost) ? Math.max(...spans.map(({ until }) => until).filter((until) => until <= at)) : at;
  const until = marks.find((mark) => mark > from) ?? end;
  const isCovered = spans.some((span) => span.from <= from && from < span.until);

  return Number.isFinite(from) && !isCovered && until > from
    ? [{ from, until, why: `the ${kindOf(lost.kind)} set of ${formatMoment(lost.consistent_at)} cannot be restored` }]
    : [];
};

/** Of gaps that overlap, one with the first reason. */
const merged = (gaps: readonly Gap[]): Gap[] => {
  const found: Gap[] = [];

  for (const gap of [...gaps].sort((one, other) => one.from - other.from)) {
    const last = found.at(-1);

    if (last !== undefined && gap.from < last.until) {
      last.until = Math.max(last.until, gap.until);
    } else {
      found.push({ ...gap });
    }
  }

  return found;
};

/** What of a list of sets can be restored, up to now; null where it is nothing at all. */
export const axisOf = ({ sets, spans: given }: Pick<SetList, "sets" | "spans">, now: number): Axis | null => {
  const sorted = [...sets].sort((one, other) => momentOf(one) - momentOf(other));
  const good = sorted.filter(({ unrestorable }) => unrestorable === null);
  const [first] = sorted;

  if (first === undefined || good.length === 0) {
    return null;
  }
  const [from, until] = [momentOf(first), Math.max(now, ...sorted.slice(-1).map(momentOf))];
  const spans = given
    .map((span) => ({ from: Math.max(from, Date.parse(span.since)), until: Date.parse(span.until) }))
    .filter((span) => span.until > span.from);
  const marks = [...new Set(good.filter((set) => !isLog(set)).map(momentOf))];
  const lost = sorted.filter(({ unrestorable }) => unrestorable !== null);

  return {
    from,
    gaps: merged(lost.flatMap((set) => gapOf(set, marks, spans, until))),
    marks,
    moments: [...new Set(good.map(momentOf))],
    spans,
    until,
  };
};

const DAY = 86_400_000;

/** Where a key leads from a moment; null for a key that leads nowhere. */
export const keyed = (key: string, value: number, { from, moments, until }: Axis): number | null => {
  const clamp = (moment: number): number => Math.min(until, Math.max(from, moment));
  // The field is to the second, and what is within it counts.
  const [before, after] = [
    moments.findLast((moment) => moment < Math.floor(value / 1000) * 1000),
    moments.find((moment) => moment >= Math.floor(value / 1000) * 1000 + 1000),
  ];

  switch (key) {
    case "ArrowDown":
    case "ArrowLeft":
      return before ?? from;
    case "ArrowRight":
    case "ArrowUp":
      return after ?? until;
    case "End":
      return until;
    case "Home":
      return moments[0] ?? from;
    case "PageDown":
      return clamp(value - DAY);
    case "PageUp":
      return clamp(value + DAY);
    default:
      return null;
  }
};

/** What a moment is, in words: a set, within archived logs, or in a gap. */
export const placeAt = (value: number, { gaps, moments, spans }: Axis): string => {
  const gap = gaps.find(({ from, until }) => from <= value && value < until);

  if (gap !== undefined) {
    return gap.why;
  }
  if (moments.some((moment) => Math.abs(moment - value) < 1000)) {
    return "the moment of a set";
  }

  return spans.some(({ from, until }) => from <= value && value <= until)
    ? "within archived logs"
    : "the set before it comes back";
};
