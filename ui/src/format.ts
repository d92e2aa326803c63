const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** Bytes in decimal units, as the command line writes them. */
export const formatBytes = (count: number | null): string => {
  if (count === null) {
    return "–";
  }
  let value = count;
  let unit = 0;

  while (Math.abs(value) >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }

  return unit === 0 ? `${count} B` : `${value.toFixed(1)} ${UNITS[unit] ?? ""}`;
};

const pad = (value: number): string => String(value).padStart(2, "0");

type Span = { days: number; hours: number; minutes: number; seconds: number };

const split = (total: number): Span => ({
  days: Math.floor(total / 86_400),
  hours: Math.floor((total % 86_400) / 3600),
  minutes: Math.floor((total % 3600) / 60),
  seconds: Math.floor(total % 60),
});

/** How long something took: two units at most. */
export const formatDuration = (seconds: number | null): string => {
  if (seconds === null) {
    return "–";
  }
  if (seconds < 10) {
    return `${seconds.toFixed(1)} s`;
  }
  const span = split(Math.round(seconds));

  if (span.days > 0) {
    return `${span.days} d ${span.hours} h`;
  }
  if (span.hours > 0) {
    return `${span.hours} h ${pad(span.minutes)} min`;
  }

  return span.minutes > 0 ? `${span.minutes} min ${pad(span.seconds)} s` : `${span.seconds} s`;
};

/** How old something is: one unit, as people say it. */
export const formatAge = (seconds: number): string => {
  if (seconds < 45) {
    return "just now";
  }
  if (seconds < 5400) {
    return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  }
  if (seconds < 129_600) {
    return `${Math.round(seconds / 3600)} h ago`;
  }

  return `${Math.round(seconds / 86_400)} days ago`;
};

/** An age as a figure, for a number that stands alone. */
export const formatSpan = (seconds: number): string => {
  const span = split(Math.max(0, Math.round(seconds)));

  if (span.days >= 2) {
    return span.hours === 0 ? `${span.days} d` : `${span.days} d ${span.hours} h`;
  }
  const hours = span.days * 24 + span.hours;

  if (hours > 0) {
    return span.minutes === 0 ? `${hours} h` : `${hours} h ${pad(span.minutes)} min`;
  }

  return span.minutes > 0 ? `${span.minutes} min` : `${span.seconds} s`;
};

/** The time left until a moment; it ticks by the second in the last hour. */
export const formatCountdown = (milliseconds: number): string => {
  const seconds = Math.ceil(milliseconds / 1000);

  if (seconds <= 0) {
    return "due now";
  }
  const span = split(seconds);

  if (span.days > 0) {
    return `in ${span.days} d ${span.hours} h`;
  }
  if (span.hours > 0) {
    return `in ${span.hours} h ${pad(span.minutes)} min`;
  }

  return `in ${span.minutes}:${pad(span.seconds)}`;
};

const language = (): string => document.documentElement.lang || "en";

/** A moment in local time of a zone, without the year where it is this one. */
export const formatMoment = (moment: string, timeZone?: string): string => {
  const date = new Date(moment);
  const thisYear = date.getFullYear() === new Date().getFullYear();

  return new Intl.DateTimeFormat(language() === "en" ? "en-GB" : language(), {
    day: "numeric",
    hour: "2-digit",
    hourCycle: "h23",
    minute: "2-digit",
    month: "short",
    weekday: "short",
    ...(thisYear ? {} : { year: "numeric" }),
    ...(timeZone === undefined ? {} : { timeZone }),
  }).format(date);
};

export const formatExact = (moment: string, timeZone?: string): string =>
  new Intl.DateTimeFormat(language() === "en" ? "en-GB" : language(), {
    dateStyle: "full",
    timeStyle: "long",
    hourCycle: "h23",
    ...(timeZone === undefined ? {} : { timeZone }),
  }).format(new Date(moment));

export const formatCount = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;

/** The first letter large: the server's messages are lower case, sentences of the page are not. */
export const sentence = (text: string): string =>
  /^[\w+.-]+:\/\//u.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);

/** A moment as a field for date and time wants it: on the clock of whoever looks, to the minute. */
export const localInput = (milliseconds: number): string => {
  const date = new Date(milliseconds - new Date(milliseconds).getTimezoneOffset() * 60_000);

  return date.toISOString().slice(0, 16);
};

/** The time of day on the clock of whoever looks, with seconds. */
export const formatClock = (milliseconds: number): string =>
  new Intl.DateTimeFormat("en-GB", { hour: "2-digit", hourCycle: "h23", minute: "2-digit", second: "2-digit" }).format(milliseconds);

const clocks = new Map<string, Intl.DateTimeFormat>();

const clockOf = (timeZone: string): Intl.DateTimeFormat => {
  const known = clocks.get(timeZone);

  if (known !== undefined) {
    return known;
  }
  const number = "numeric";
  const made = new Intl.DateTimeFormat("en-US", {
    day: number,
    hour: number,
    hourCycle: "h23",
    minute: number,
    month: number,
    second: number,
    timeZone,
    year: number,
  });

  clocks.set(timeZone, made);

  return made;
};

/** Milliseconds that a zone is ahead of UTC at a moment. */
const aheadAt = (milliseconds: number, timeZone: string): number => {
  const parts = clockOf(timeZone).formatToParts(milliseconds);
  const part = (wanted: string): number => Number(parts.find(({ type }) => type === wanted)?.value ?? 0);
  const local = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));

  return local - Math.floor(milliseconds / 1000) * 1000;
};

/** A moment as a field for date and time takes it, to the second, in the local time of a zone. */
export const zonedInput = (milliseconds: number, timeZone: string): string =>
  new Date(milliseconds + aheadAt(milliseconds, timeZone)).toISOString().slice(0, 19);

/**
 * The moment that a field for date and time means in a zone, in milliseconds; NaN where it holds none.
 *
 * A time that a change of the clock repeats means the second one: what was stored in the first is not lost by it.
 * A time that such a change leaves out means the moment of the change onwards, as clocks that were not set would say.
 */
export const momentIn = (local: string, timeZone: string): number => {
  const asUtc = Date.parse(`${local}Z`);

  if (Number.isNaN(asUtc)) {
    return NaN;
  }
  const candidates = [asUtc - 86_400_000, asUtc + 86_400_000].map((near) => asUtc - aheadAt(near, timeZone));
  const exact = candidates.filter((moment) => moment + aheadAt(moment, timeZone) === asUtc);

  return Math.max(...(exact.length === 0 ? candidates : exact));
};
