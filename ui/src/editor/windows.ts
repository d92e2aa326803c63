type Data = Record<string, unknown>;

export type WindowChoice = "any" | "business_hours" | "custom" | "off_hours" | "written";

/** What the form asks for of a window. */
export type WindowForm = { days: string; from: string; to: string; window: WindowChoice; windowZone: string };

const WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const PRESETS: ReadonlySet<unknown> = new Set(["business_hours", "off_hours"]);

/** The weekly times that a new window begins with. */
const NIGHTS = { days: "mon-fri", from: "22:00", to: "06:00" };

const isRecord = (value: unknown): value is Data =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** Days of a week in their order, neighbours as a range: `mon-fri, sun`. */
export const daysText = (days: readonly string[]): string => {
  const runs: string[][] = [];

  WEEK.filter((day) => days.includes(day)).forEach((day) => {
    const last = runs.at(-1);

    if (last !== undefined && WEEK.indexOf(last.at(-1) as "mon") === WEEK.indexOf(day) - 1) {
      last.push(day);
    } else {
      runs.push([day]);
    }
  });

  return runs.map((run) => (run.length > 2 ? `${run[0] ?? ""}-${run.at(-1) ?? ""}` : run.join(", "))).join(", ");
};

const isWeek = (days: unknown): days is string[] =>
  Array.isArray(days) && days.length > 0 && days.every((day) => (WEEK as readonly unknown[]).includes(day));

/** Whether the form can show these days and give them back. */
const areShown = (days: unknown): boolean => days === undefined || isWeek(days);

const choiceOf = (value: unknown): WindowChoice => {
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) {
    return "any";
  }
  const [only, ...more] = Array.isArray(value) ? (value as unknown[]) : [value];

  if (more.length > 0 || !Array.isArray(value)) {
    return "written";
  }
  const preset = isRecord(only) ? only.preset : only;

  if (PRESETS.has(preset)) {
    return preset as WindowChoice;
  }

  return isRecord(only) && preset === undefined && areShown(only.days) ? "custom" : "written";
};

const firstOf = (value: unknown): Data => {
  const first: unknown = Array.isArray(value) ? value[0] : undefined;

  return isRecord(first) ? first : {};
};

/** Show the window of a definition; what it leaves out is all of the week. */
export const windowForm = (value: unknown): WindowForm => {
  const window = choiceOf(value);
  const first = firstOf(value);
  const shown = {
    days: first.days === undefined ? "mon-sun" : daysText(first.days as string[]),
    from: text(first.from) || "00:00",
    to: text(first.to) || "24:00",
  };

  return { ...(window === "custom" ? shown : NIGHTS), window, windowZone: text(first.timezone) };
};

const daysOf = (typed: string): string[] =>
  typed
    .split(",")
    .map((day) => day.trim())
    .filter(Boolean);

/** What the form says of the window, on top of what it was filled from: its name stays. */
export const windowOf = (form: WindowForm, before: unknown): unknown => {
  const start = windowForm(before);

  if (form.window === "any" || form.window === "written") {
    return form.window === "written" ? before : undefined;
  }
  if (form.window !== "custom") {
    return form.window === start.window ? before : [{ preset: form.window }];
  }
  const isNew = start.window !== "custom";
  const zone = form.windowZone.trim();
  const kept = Object.entries(isNew ? {} : firstOf(before)).filter(([key]) => key !== "timezone");
  const changed = {
    ...(isNew || form.days !== start.days ? { days: daysOf(form.days) } : {}),
    ...(isNew || form.from !== start.from ? { from: form.from.trim() } : {}),
    ...(isNew || form.to !== start.to ? { to: form.to.trim() } : {}),
  };

  return [{ ...Object.fromEntries(kept), ...changed, ...(zone === "" ? {} : { timezone: zone }) }];
};
