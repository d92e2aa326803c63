import { type Bar } from "../charts/BarChart";
import { median } from "../charts/scale";
import { dayText } from "../charts/weeks";
import type { Cell } from "../charts/HeatMap";
import type { DayStrips, ExecutionStatus, TrendPoint } from "../api/types";
import { formatBytes, formatCount, formatDuration, formatMoment, sentence } from "../format";
import { STATUSES } from "../words";

export type ChartData = {
  readonly bars: readonly Bar[];
  readonly measure: "bytes" | "duration" | "share";
  readonly note: string;
  readonly title: string;
};

/** Airflow's own colours; what completed stands back. */
export const colorOf = (status: ExecutionStatus | null): string => {
  const palette = status === null ? null : STATUSES[status].palette;

  return palette === null ? "border" : palette === "none" ? "border.emphasized" : `${palette}.solid`;
};

export const isBad = (status: ExecutionStatus | null): boolean => status === "failed" || status === "cancelled";

/** A share as people read it: more digits where it is small. */
export const shareText = (share: number): string => {
  const percent = 100 * share;

  return `${percent >= 10 || percent === 0 ? percent.toFixed(0) : percent.toPrecision(1)} %`;
};

const kindText = ({ kind }: TrendPoint): string => (kind === null ? "" : `, ${kind.replace("_", " ")}`);

const pointText = (point: TrendPoint, figure: string): string => {
  const result = STATUSES[point.status].label.toLowerCase();

  return `${formatMoment(point.since)}${kindText(point)}: ${figure === "" ? result : `${result}, ${figure}`}`;
};

const barOf = (point: TrendPoint, value: number | null, figure: string): Bar => ({
  color: colorOf(point.status),
  isBad: isBad(point.status),
  key: point.run_id,
  text: pointText(point, figure),
  value,
});

const known = (values: readonly (number | null)[]): number[] => values.filter((value) => value !== null);

const inTheMiddle = (values: readonly (number | null)[], text: (value: number) => string): string => {
  const middle = median(known(values));

  return middle === null ? "" : `${text(middle)} in the middle`;
};

const durations = (points: readonly TrendPoint[]): ChartData => ({
  bars: points.map((point) =>
    barOf(point, point.duration, point.duration === null ? "" : formatDuration(point.duration)),
  ),
  measure: "duration",
  note: inTheMiddle(
    points.map(({ duration, status }) => (status === "completed" ? duration : null)),
    formatDuration,
  ),
  title: "Duration",
});

const amounts = (points: readonly TrendPoint[]): ChartData => ({
  bars: points.map((point) => ({
    ...barOf(
      point,
      point.bytes_stored,
      point.bytes_stored === null
        ? ""
        : `${formatBytes(point.bytes_stored)} stored of ${formatBytes(point.bytes_read)} read`,
    ),
    behind: point.bytes_read,
  })),
  measure: "bytes",
  note: "stored, and read in grey behind",
  title: "Amount",
});

/** How much a run had to store: against the full before it, or of what it read where there are only fulls. */
const shares = (points: readonly TrendPoint[]): ChartData => {
  const isChange = points.some(({ change }) => change !== null);
  const shareOf = ({ bytes_read: read, bytes_stored: stored, change }: TrendPoint): number | null =>
    isChange ? change : stored === null || read === null || read === 0 ? null : stored / read;
  const what = isChange ? "of the full before" : "of what it read";

  return {
    bars: points.map((point) => {
      const share = shareOf(point);

      return barOf(point, share, share === null ? "" : `stored ${shareText(share)} ${what}`);
    }),
    measure: "share",
    note: inTheMiddle(points.map(shareOf), shareText),
    title: isChange ? "Changed since the full before" : "Stored of what was read",
  };
};

export const chartsOf = (points: readonly TrendPoint[]): ChartData[] => [
  durations(points),
  amounts(points),
  shares(points),
];

/** How many of the last runs completed, of those that were not skipped. */
export const successText = (points: readonly TrendPoint[]): string => {
  const tried = points.filter(({ status }) => status !== "skipped");
  const done = tried.filter(({ status }) => status === "completed").length;

  return tried.length === 0
    ? "none of the last runs began"
    : `${done} of the last ${formatCount(tried.length, "run")} completed (${shareText(done / tried.length)})`;
};

/** Each day of a calendar, with what is said of it. */
export const cellsOf = ({ days, runs, schedules, stored }: DayStrips, id: string): Cell[] =>
  days.map((day, index) => {
    const status = schedules[id]?.[index] ?? null;
    const bytes = stored[id]?.[index] ?? null;
    const told =
      status === null
        ? ["no run"]
        : [
            STATUSES[status].label.toLowerCase(),
            formatCount(runs[id]?.[index] ?? 0, "run"),
            ...(bytes === null ? [] : [`${formatBytes(bytes)} stored`]),
          ];

    return { color: colorOf(status), isBad: isBad(status), text: sentence(`${dayText(day)}: ${told.join(", ")}`) };
  });
