/** What a chart measures, which says where its lines are and how their figures read. */
export type Measure = "bytes" | "duration" | "share";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Steps of a clock, in seconds, that people count in. */
const SPANS = [1, 2, 5, 10, 15, 30].flatMap((step) => [step, step * MINUTE]);
const LONG_SPANS = [1, 2, 3, 6, 12].map((step) => step * HOUR).concat([1, 2, 5, 10, 20, 50].map((step) => step * DAY));
const CLOCK = [...SPANS, ...LONG_SPANS].sort((one, other) => one - other);
const ROUND = [1, 2, 5, 10];
const LENGTHS = [
  [DAY, "d"],
  [HOUR, "h"],
  [MINUTE, "min"],
] as const;
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

const roundStep = (least: number): number => {
  const power = 10 ** Math.floor(Math.log10(least));

  return (ROUND.find((step) => step * power >= least * 0.999_999) ?? 10) * power;
};

/** The step between two lines, at least so large: round in the unit in which it is told. */
const stepOf = (least: number, measure: Measure): number => {
  if (measure === "duration" && least > 0.5) {
    return CLOCK.find((step) => step >= least) ?? roundStep(least / DAY) * DAY;
  }

  return measure === "bytes" ? Math.max(1, roundStep(least)) : roundStep(least);
};

/** The values of the lines of a chart from zero up: two steps, the upper one above all that is shown. */
export const ticksTo = (largest: number, measure: Measure): number[] => {
  const step = stepOf((largest > 0 ? largest : 1) / 2, measure);

  return [0, step, 2 * step];
};

const short = (value: number): string => String(Number(value.toPrecision(3)));

/** A figure at a line: as few letters as it takes. */
export const tickText = (value: number, measure: Measure): string => {
  if (value === 0) {
    return "0";
  }
  if (measure === "share") {
    return `${short(100 * value)} %`;
  }
  if (measure === "bytes") {
    const unit = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(value) / 3 + 1e-9)));

    return `${short(value / 1000 ** unit)} ${UNITS[unit] ?? ""}`;
  }
  const [size, word] = LENGTHS.find(([least]) => value >= least) ?? [1, "s"];

  return `${short(value / size)} ${word}`;
};

/** The value in the middle of some; null of none. */
export const median = (values: readonly number[]): number | null => {
  const sorted = [...values].sort((one, other) => one - other);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]];

  return low === undefined || high === undefined ? null : (low + high) / 2;
};
