/** A day in a calendar: where it is in the list of days, and how it reads; null before the first and after the last. */
export type Week = readonly (number | null)[];

const DAY = 86_400_000;

const dateOf = (day: string): number => Date.parse(`${day}T00:00:00Z`);

/** Days, as `2026-11-30` and without gaps, in weeks from Monday to Sunday: places in the list. */
export const weeksOf = (days: readonly string[]): Week[] => {
  const [first] = days;

  if (first === undefined) {
    return [];
  }
  const lead = (new Date(dateOf(first)).getUTCDay() + 6) % 7;
  const count = Math.ceil((lead + days.length) / 7);

  return Array.from({ length: count }, (_, week) =>
    Array.from({ length: 7 }, (__, day) => {
      const index = 7 * week + day - lead;

      return index >= 0 && index < days.length ? index : null;
    }),
  );
};

const named = (day: string, options: Intl.DateTimeFormatOptions): string =>
  new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" }).format(dateOf(day));

export const dayText = (day: string): string =>
  named(day, { day: "numeric", month: "short", weekday: "short", year: "numeric" });

/** The name of the month that begins in a week; empty where none does. */
export const monthOf = (week: Week, days: readonly string[]): string => {
  const begun = week.find((index) => index !== null && days[index]?.endsWith("-01") === true);

  return begun === undefined || begun === null ? "" : named(days[begun] ?? "", { month: "short" });
};

/** So many days, the last one today: for what has no answer yet. */
export const daysUntil = (today: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) =>
    new Date(dateOf(today) - (count - 1 - index) * DAY).toISOString().slice(0, 10),
  );
