/** What a cron expression says, as sets of numbers: what a picture of it shows. Null: every one. */
export type Picture = {
  days: readonly number[] | null;
  hours: readonly number[];
  minutes: readonly number[];
  months: readonly number[] | null;
  /** `L`, or the n-th weekday of a month such as `mon#1` or `L5`; then no other day is chosen. */
  special: string | null;
  seconds: readonly number[] | null;
  weekdays: readonly number[] | null;
};

export const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] as const;

type Field = { high: number; low: number; names?: readonly string[] };

const SECOND: Field = { high: 59, low: 0 };
const MINUTE: Field = { high: 59, low: 0 };
const HOUR: Field = { high: 23, low: 0 };
const DAY: Field = { high: 31, low: 1 };
const MONTH: Field = { high: 12, low: 1, names: MONTHS };
const WEEKDAY: Field = { high: 6, low: 0, names: WEEKDAYS };

const SPECIAL_WEEKDAY = /^(?:l[0-7]|(?:[0-7]|sun|mon|tue|wed|thu|fri|sat)#[1-5])$/iu;

const steps = (low: number, high: number, step = 1): number[] =>
  Array.from({ length: Math.max(0, Math.floor((high - low) / step) + 1) }, (_, index) => low + index * step);

const ALL_HOURS = steps(0, 23);
export const ALL_MINUTES = steps(0, 59);

const valueOf = (text: string, { high, low, names }: Field): number | null => {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;

  if (named !== -1) {
    return named + low;
  }
  const number = /^\d+$/u.test(text) ? Number(text) : NaN;

  return number >= low && number <= (names === WEEKDAYS ? 7 : high) ? number : null;
};

/** A range, on a circle where it ends before it begins, as the server counts it. */
const rangeOf = (first: number, last: number, step: number, { high, low, names }: Field): number[] => {
  const begin = names === WEEKDAYS && first !== last ? first % 7 : first;
  const values = begin <= last ? steps(begin, last) : [...steps(begin, high), ...steps(low, last)];

  return values.filter((_, index) => index % step === 0);
};

const ITEM = /^([a-z0-9]+|\*)(?:-([a-z0-9]+))?(?:\/(\d+))?$/iu;

const itemOf = (text: string, field: Field): number[] | null => {
  const [, first = "", last, stepText] = ITEM.exec(text) ?? [];
  const step = Number(stepText ?? 1);

  if (first === "" || step < 1 || (first === "*" && last !== undefined)) {
    return null;
  }
  if (first === "*") {
    return steps(field.low, field.high, step);
  }
  // A value with a step goes on to the end of the field.
  const end = stepText === undefined ? first : String(field.high);
  const [from, to] = [valueOf(first, field), valueOf(last ?? end, field)];

  return from === null || to === null ? null : rangeOf(from, to, step, field);
};

const sorted = (values: readonly number[]): number[] => [...new Set(values)].sort((one, other) => one - other);

/** The values of a field; `every` where it says nothing. */
const valuesOf = (text: string, field: Field): number[] | "every" | null => {
  const items = text.split(",");

  if (items.some((item) => item === "*" || item === "*/1")) {
    return items.every((item) => itemOf(item, field) !== null) ? "every" : null;
  }
  const found = items.map((item) => itemOf(item, field));

  return found.includes(null)
    ? null
    : sorted(found.flat().map((value) => (field === WEEKDAY ? (value ?? 0) % 7 : (value ?? 0))));
};

type Days = Pick<Picture, "days" | "special" | "weekdays">;

/** Either of the two is enough where both say something: so one that has every day leaves the other nothing to say. */
const daysOf = (day: string, weekday: string): Days | null => {
  const isFree = (text: string): boolean => ["*", "*/1", "?"].includes(text);

  if (isFree(weekday) && day.toUpperCase() === "L") {
    return { days: null, special: "L", weekdays: null };
  }
  if (isFree(day) && SPECIAL_WEEKDAY.test(weekday)) {
    return { days: null, special: weekday, weekdays: null };
  }
  const days = isFree(day) ? "every" : valuesOf(day, DAY);
  const weekdays = isFree(weekday) ? "every" : valuesOf(weekday, WEEKDAY);

  if (days === null || weekdays === null) {
    return null;
  }
  if ((days !== "every" && days.length === 31) || (weekdays !== "every" && weekdays.length === 7)) {
    return { days: null, special: null, weekdays: null };
  }

  return { days: days === "every" ? null : days, special: null, weekdays: weekdays === "every" ? null : weekdays };
};

/** Read a cron expression; null where no picture can say what it says. */
export const readCron = (cron: string): Picture | null => {
  const fields = cron.trim().split(/\s+/u);

  if (fields.length !== 5 && fields.length !== 6) {
    return null;
  }
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = fields.slice(-5);
  const seconds = fields.length === 6 ? valuesOf(fields[0] ?? "", SECOND) : undefined;
  const [minutes, hours, months] = [valuesOf(minute, MINUTE), valuesOf(hour, HOUR), valuesOf(month, MONTH)];
  const days = daysOf(day, weekday);

  if (seconds === null || minutes === null || hours === null || months === null || days === null) {
    return null;
  }

  return {
    ...days,
    hours: hours === "every" ? ALL_HOURS : hours,
    minutes: minutes === "every" ? ALL_MINUTES : minutes,
    months: months === "every" || months.length === 12 ? null : months,
    seconds: seconds === "every" ? ALL_MINUTES : (seconds ?? null),
  };
};

const named = (value: number, { low, names }: Field): string => names?.[value - low] ?? String(value);

/** Neighbours as a range: `1-5,7`. */
const listed = (values: readonly number[], field: Field): string => {
  const order =
    field === WEEKDAY ? [...values].sort((one, other) => ((one + 6) % 7) - ((other + 6) % 7)) : sorted(values);
  const place = (value: number): number => (field === WEEKDAY ? (value + 6) % 7 : value);
  const runs: number[][] = [];

  order.forEach((value) => {
    const last = runs.at(-1);

    if (last !== undefined && place(last.at(-1) ?? -2) === place(value) - 1) {
      last.push(value);
    } else {
      runs.push([value]);
    }
  });

  return runs
    .flatMap((run) => {
      const names = run.map((value) => named(value, field));

      return run.length > 2 ? [`${names[0] ?? ""}-${names.at(-1) ?? ""}`] : names;
    })
    .join(",");
};

/** Every n-th minute or hour as such, where n goes into the whole. */
const timed = (values: readonly number[], field: Field): string => {
  const count = field.high + 1;
  const step = count / values.length;
  const isSteady =
    values.length > 1 && Number.isInteger(step) && values.every((value, index) => value === index * step);

  return isSteady ? (step === 1 ? "*" : `*/${step}`) : listed(values, field);
};

/** Write what a picture shows as a cron expression. */
export const writeCron = ({ days, hours, minutes, months, seconds, special, weekdays }: Picture): string => {
  const isEvery = days?.length === 31 || weekdays?.length === 7;
  const day = special === "L" ? "L" : days === null || isEvery || special !== null ? "*" : listed(days, DAY);
  const chosen = weekdays === null || isEvery ? "*" : listed(weekdays, WEEKDAY);

  return [
    ...(seconds === null ? [] : [timed(seconds, SECOND)]),
    timed(minutes, MINUTE),
    timed(hours, HOUR),
    day,
    months === null || months.length === 12 ? "*" : listed(months, MONTH),
    special === null || special === "L" ? (special === "L" ? "*" : chosen) : special,
  ].join(" ");
};
