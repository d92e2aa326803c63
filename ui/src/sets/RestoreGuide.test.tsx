import { cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { draw } from "../test/page";
import { LIST, SCHEDULE } from "../test/samples";
import { RestoreGuide } from "./RestoreGuide";

const ZONES = [
  "UTC",
  "Europe/Berlin",
  "Europe/London",
  "Europe/Dublin",
  "America/New_York",
  "America/Los_Angeles",
  "America/St_Johns",
  "America/Sao_Paulo",
  "America/Santiago",
  "America/Havana",
  "Africa/Cairo",
  "Africa/Casablanca",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Asia/Tokyo",
  "Asia/Jerusalem",
  "Australia/Adelaide",
  "Australia/Lord_Howe",
  "Pacific/Auckland",
  "Pacific/Chatham",
] as const;
const SETTINGS = ["browser", "page", "schedule"] as const;
const HALF = 1_800_000;
const YEAR = Date.UTC(2026, 0, 1, 0, 17, 5);

/** What a clock of a zone shows, told by another way than the page's. */
const wallIn = (zone: string): ((moment: number) => string) => {
  const clock = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: zone });

  return (moment) => clock.format(moment).replace(" ", "T");
};

/** Moments of a year: an ordinary one, and the half hours before and after each change of the clock. */
const momentsOf = (zone: string): number[] => {
  const wall = wallIn(zone);
  const isSteady = (moment: number): boolean =>
    Date.parse(`${wall(moment)}Z`) - Date.parse(`${wall(moment - 2 * HALF)}Z`) === 2 * HALF;
  const hours = Array.from({ length: 8_760 }, (_, hour) => YEAR + hour * 2 * HALF).filter(
    (moment) => !isSteady(moment),
  );

  return [YEAR, ...hours.flatMap((moment) => [-3, -2, -1, 0, 1, 2].map((step) => moment + step * HALF))];
};

let asked: string[];

/** Answer what is asked about moments; nobody asked for a restore, and all schedules have the same workers. */
const answerPlans = (answer: (url: string) => Promise<Response>): void => {
  vi.stubGlobal("fetch", (url: string) =>
    url.includes("recovery-path")
      ? answer(url)
      : Promise.resolve(new Response(JSON.stringify({ places: [], runs: [] }))),
  );
};

beforeEach(() => {
  asked = [];
  answerPlans((url) => {
    asked.push(new URL(url).searchParams.get("at") ?? "");

    return Promise.resolve(new Response(JSON.stringify({ consistent_at: null, earliest: null, gaps: [], sets: [] })));
  });
});

afterEach(() => {
  localStorage.clear();
  delete process.env.TZ;
  vi.unstubAllGlobals();
});

const open = (timezone: string): void => {
  draw(<RestoreGuide list={LIST} schedule={{ ...SCHEDULE, timezone }} />);
};

const settle = (setting: (typeof SETTINGS)[number], zone: string): string => {
  process.env.TZ = setting === "browser" ? zone : "Asia/Tokyo";
  if (setting !== "browser") {
    localStorage.setItem("timezone", JSON.stringify(setting === "page" ? zone : "Europe/Berlin"));
  }

  // A browser may know a zone by an older name.
  return setting === "schedule"
    ? "Europe/Berlin"
    : setting === "page"
      ? zone
      : Intl.DateTimeFormat().resolvedOptions().timeZone;
};

it.each(ZONES.flatMap((zone) => SETTINGS.map((setting) => [zone, setting] as const)))(
  "asks for the moment that was picked: %s as the zone of the %s",
  async (zone, setting) => {
    const shown = settle(setting, zone);
    const wall = wallIn(shown);

    open(setting === "schedule" ? zone : "America/New_York");
    const field = screen.getByLabelText(/as it was at/u);

    for (const moment of momentsOf(shown)) {
      fireEvent.change(field, { target: { value: wall(moment) } });
      const isRepeated = (by: number): boolean => [by, 2 * by].some((other) => wall(moment + other) === wall(moment));
      const time = isRepeated(HALF) ? "The first time" : isRepeated(-HALF) ? "The second time" : null;

      if (time !== null) {
        fireEvent.click(screen.getByRole("button", { name: time }));
      }
      const wanted = new Date(moment + 999).toISOString();

      await waitFor(() => expect(asked).toContain(wanted));
      expect((field as HTMLInputElement).value).toBe(wall(moment));
      expect(screen.getByText((text) => text.includes(`(${shown})`))).toBeTruthy();
    }
    cleanup();
  },
);

const PLAN = {
  at: "2026-11-21T02:00:00Z",
  bytes_to_read: 1,
  command: "the command",
  consistent_at: "2026-11-21T02:00:00Z",
  earliest: null,
  gaps: [],
  measured: true,
  seconds: 1,
  sets: [{ kind: "full", set_id: "the-set" }],
  takes_paths: false,
};

it("restores nothing by the plan of another moment", async () => {
  const waiting: (() => void)[] = [];

  answerPlans(() =>
    waiting.length === 0 && asked.push("first") === 1
      ? Promise.resolve(new Response(JSON.stringify(PLAN)))
      : new Promise((resolve) => {
          waiting.push(() => resolve(new Response(JSON.stringify({ ...PLAN, command: "another" }))));
        }),
  );
  open("UTC");
  const button = await screen.findByRole<HTMLButtonElement>("button", { name: "Restore …" });

  expect(button.disabled).toBe(false);
  fireEvent.change(screen.getByLabelText(/as it was at/u), { target: { value: "2026-11-20T02:00:00" } });
  expect(button.disabled).toBe(true);
  await waitFor(() => expect(waiting).toHaveLength(1));
  waiting[0]?.();
  await screen.findByText("another");
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Restore …" }).disabled).toBe(false);
  cleanup();
});

it("says where nobody can tell what brings a moment back", async () => {
  const problem = JSON.stringify({ detail: "the moment is not between 1970 and 2200" });

  answerPlans(() => Promise.resolve(new Response(problem, { status: 422 })));
  open("UTC");
  await screen.findByText("What brings that moment back could not be loaded");
  cleanup();
});

it("starts nothing by the plan of another moment, nor by a word that was typed for it", async () => {
  let isSlow = false;

  answerPlans(() =>
    isSlow ? new Promise(() => undefined) : Promise.resolve(new Response(JSON.stringify(PLAN))),
  );
  open("UTC");
  fireEvent.click(await screen.findByRole("button", { name: "Restore …" }));
  fireEvent.change(screen.getByLabelText("Type wiki to confirm"), { target: { value: "wiki" } });
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Restore" }).disabled).toBe(false);
  isSlow = true;
  fireEvent.change(screen.getByLabelText(/as it was at/u), { target: { value: "2026-11-20T02:00:00" } });
  expect(screen.getByLabelText<HTMLInputElement>("Type wiki to confirm").value).toBe("");
  fireEvent.change(screen.getByLabelText("Type wiki to confirm"), { target: { value: "wiki" } });
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Restore" }).disabled).toBe(true);
  cleanup();
});

it("is picked on the line of all that can be restored, from set to set", async () => {
  open("UTC");
  const line = screen.getByLabelText<HTMLInputElement>("All that can be restored");
  const field = screen.getByLabelText<HTMLInputElement>(/as it was at/u);

  fireEvent.keyDown(line, { key: "ArrowLeft" });
  await waitFor(() => expect(field.value).toContain("2026-11-21T"));
  expect(line.getAttribute("aria-valuetext")).toMatch(/21 November 2026.*\(.*\): the moment of a set$/u);
  await waitFor(() => expect(asked.at(-1)).toBe("2026-11-21T02:00:00.999Z"));
  fireEvent.change(line, { target: { value: String(Date.parse("2026-11-20T12:00:00Z")) } });
  await waitFor(() => expect(asked.at(-1)).toBe("2026-11-20T12:00:00.999Z"));
  cleanup();
});
