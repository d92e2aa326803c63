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

/** A moment on the clock on the wall of a zone, without the year where it is this one. */
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
