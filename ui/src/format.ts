import { isKnownZone, pageZone } from "./zone";

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

  return span.minutes > 0 ? `in ${span.minutes} min ${pad(span.seconds)} s` : `in ${span.seconds} s`;
};

const language = (): string => document.documentElement.lang || "en";

/** A moment on the clock of the page, and on the schedule's own beside it where that says something else. */
export const formatMoment = (moment: string, ownZone = pageZone()): string => {
  const [here, there] = [formatIn(moment, pageZone()), formatIn(moment, ownZone)];
  const day = /^.*, /u;

  const own = day.exec(here)?.[0] === day.exec(there)?.[0] ? there.replace(day, "") : there.replaceAll(",", "");

  return here === there ? here : `${here} (${own} ${ownZone})`;
};

/** The zone itself, or that of the page where the browser does not know it. */
const tellable = (timeZone: string): string => (isKnownZone(timeZone) ? timeZone : pageZone());

const yearIn = (milliseconds: number, timeZone: string): string => zonedInput(milliseconds, timeZone).slice(0, 4);

/**
 * A moment on the clock of a zone, without the year where it is this one there; on that of the page where the
 * browser knows no such zone.
 */
export const formatIn = (moment: string, zone: string): string => {
  const [date, timeZone] = [new Date(moment), tellable(zone)];
  const thisYear = yearIn(date.getTime(), timeZone) === yearIn(Date.now(), timeZone);

  return new Intl.DateTimeFormat(language() === "en" ? "en-GB" : language(), {
    day: "numeric",
    hour: "2-digit",
    hourCycle: "h23",
    minute: "2-digit",
    month: "short",
    weekday: "short",
    ...(thisYear ? {} : { year: "numeric" }),
    timeZone,
  }).format(date);
};

/** A moment to the second, with its zone: where another one could look the same. */
export const formatPrecise = (moment: string): string => exactIn(moment, pageZone());

/** The whole moment with its zone, and on the schedule's own clock beside it where that is another one. */
export const formatExact = (moment: string, ownZone?: string): string => {
  const isTold = ownZone !== undefined && isKnownZone(ownZone);
  const [here, there] = [exactIn(moment, pageZone()), isTold ? exactIn(moment, ownZone) : null];

  return there === null || ownZone === pageZone()
    ? `${here} (${pageZone()})`
    : `${here} (${pageZone()}) = ${there} (${ownZone})`;
};

const exactIn = (moment: string, timeZone: string): string =>
  new Intl.DateTimeFormat(language() === "en" ? "en-GB" : language(), {
    dateStyle: "full",
    timeStyle: "long",
    hourCycle: "h23",
    timeZone,
  }).format(new Date(moment));

export const formatCount = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;

/** The first letter large: the server's messages are lower case, sentences of the page are not. */
export const sentence = (text: string): string =>
  /^[\w+.-]+:\/\//u.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);

/** The time of day on the clock of whoever looks, with seconds. */
export const formatClock = (milliseconds: number): string =>
  new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    hourCycle: "h23",
    minute: "2-digit",
    second: "2-digit",
    timeZone: pageZone(),
  }).format(milliseconds);

/** Says of what is shown that it may be over, and by when it was true. */
export const notSince = (milliseconds: number): string => `Not updated since ${formatClock(milliseconds)}`;

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
  const local = new Date(0);

  // Not Date.UTC, which takes the year 20, of a year that is being typed, for 1920.
  local.setUTCFullYear(part("year"), part("month") - 1, part("day"));
  local.setUTCHours(part("hour"), part("minute"), part("second"));

  return local.getTime() - Math.floor(milliseconds / 1000) * 1000;
};

/** A moment as a field for date and time takes it, to the second, in the local time of a zone. */
export const zonedInput = (milliseconds: number, timeZone: string): string =>
  new Date(milliseconds + aheadAt(milliseconds, timeZone)).toISOString().slice(0, 19);

/**
 * The moments that a field for date and time may mean in a zone: two where the clock repeats it, none where it
 * leaves it out.
 */
export const momentsIn = (local: string, timeZone: string): number[] => {
  const asUtc = Date.parse(`${local}Z`);

  if (Number.isNaN(asUtc)) {
    return [];
  }
  const near = [asUtc - 86_400_000, asUtc + 86_400_000].map((moment) => asUtc - aheadAt(moment, timeZone));

  return [...new Set(near)]
    .filter((moment) => moment + aheadAt(moment, timeZone) === asUtc)
    .sort((one, other) => one - other);
};

/**
 * The moment that a field for date and time means in a zone, in milliseconds; NaN where it holds none.
 *
 * A time that a change of the clock repeats means the second one: what was stored in the first is not lost by it.
 * A time that such a change leaves out means the moment of the change onwards, as clocks that were not set would say.
 */
export const momentIn = (local: string, timeZone: string): number => {
  const exact = momentsIn(local, timeZone).at(-1);
  const asUtc = Date.parse(`${local}Z`);

  if (exact !== undefined || Number.isNaN(asUtc)) {
    return exact ?? NaN;
  }

  return Math.max(...[asUtc - 86_400_000, asUtc + 86_400_000].map((near) => asUtc - aheadAt(near, timeZone)));
};

/** A moment as a field for date and time takes it, to the minute, on the clock of the page. */
export const pageInput = (milliseconds: number): string => zonedInput(milliseconds, pageZone()).slice(0, 16);
