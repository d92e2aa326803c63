import { cleanup, fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { RetentionView } from "../api/types";
import { EditingContext } from "../shared/editing";
import { draw } from "../test/page";
import { SCHEDULE } from "../test/samples";
import { policyOf, textsOf } from "./retention";
import { RetentionTry } from "./RetentionTry";

const verdict = (day: number, kept: boolean) => ({
  bytes_stored: 1_000_000,
  consistent_at: `2026-11-${String(day).padStart(2, "0")}T02:00:00Z`,
  kept,
  kind: "full" as const,
  reasons: [kept ? `day ${21 - day} of 14` : "no rule keeps it"],
  set_id: `set-${day}`,
});
const OWN: RetentionView = {
  bytes_kept: 3_000_000,
  bytes_removed: 0,
  policy: { daily: 14, lock: "7d", max_bytes: 500_000_000_000 },
  refused: null,
  removed: 0,
  schedule_id: "wiki",
  sets: [verdict(20, true), verdict(19, true), verdict(18, true)],
  tried: false,
};
const TRIED = { ...OWN, bytes_kept: 1_000_000, bytes_removed: 2_000_000, removed: 2, tried: true };

let asked: string[];
let answer: Response;

beforeEach(() => {
  asked = [];
  answer = new Response(
    JSON.stringify({ ...TRIED, sets: [verdict(20, true), verdict(19, false), verdict(18, false)] }),
  );
  vi.stubGlobal("fetch", (url: string) => {
    const policy = new URL(url).searchParams.get("policy");

    asked.push(policy ?? "");

    return Promise.resolve(policy === null ? new Response(JSON.stringify(OWN)) : answer.clone());
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const open = (schedule = SCHEDULE): void => {
  draw(<RetentionTry own={OWN} schedule={schedule} />);
  fireEvent.click(screen.getByRole("button", { name: "Try other rules" }));
};

const tryDaily = (value: string): void => {
  fireEvent.change(screen.getByLabelText("Daily"), { target: { value } });
};

describe("other rules", () => {
  it("are tried on what is stored, with sums of before and after, and never saved", async () => {
    open();
    expect(screen.getByText("The rules in force keep 3 sets, 3.0 MB; remove none.")).toBeDefined();
    tryDaily("1");
    expect(await screen.findByText("These rules keep 1 set, 1.0 MB; remove 2, 2.0 MB.")).toBeDefined();
    expect(asked.at(-1)).toBe('{"lock":"7d","daily":1,"max_bytes":"500GB"}');
    expect(screen.getByText(/write this into the schedule, at schedules.yaml:5/u)).toBeDefined();
    expect(screen.getByText(/^retention:\s+lock: "?7d"?\s+daily: 1\s+max_bytes: "?500GB"?$/u)).toBeDefined();
  });

  it("say of each set why it is kept or goes, by the arrow keys", async () => {
    open();
    tryDaily("1");
    await screen.findByText(/These rules/u);
    const strip = screen.getByLabelText("Sets over time");

    fireEvent.change(strip, { target: { value: "0" } });
    expect(strip.getAttribute("aria-valuetext")).toMatch(/18 Nov.*goes: no rule keeps it$/u);
    fireEvent.change(strip, { target: { value: "2" } });
    expect(strip.getAttribute("aria-valuetext")).toMatch(/20 Nov.*kept: day 1 of 14$/u);
  });

  it("that are wrong say so, and a number that is none is not asked about", async () => {
    answer = new Response(JSON.stringify({ detail: "policy.within: 'soon' is not a duration" }), { status: 422 });
    open();
    tryDaily("0");
    expect(screen.getByLabelText("Daily").getAttribute("aria-invalid")).toBe("true");
    tryDaily("14");
    fireEvent.change(screen.getByLabelText("Within"), { target: { value: "soon" } });
    expect(await screen.findByText(/Policy.within: 'soon' is not a duration/u)).toBeDefined();
    expect(asked.filter((policy) => policy.includes('"daily":0'))).toEqual([]);
  });

  it("lead to the editor of a schedule that was made here", async () => {
    const edited: string[] = [];
    const made = { author: "ada", saved_at: "2026-11-01T00:00:00Z", version: 1 };

    draw(
      <EditingContext value={(id) => edited.push(id)}>
        <RetentionTry own={OWN} schedule={{ ...SCHEDULE, made }} />
      </EditingContext>,
    );
    fireEvent.click(screen.getByRole("button", { name: "Try other rules" }));
    tryDaily("1");
    fireEvent.click(await screen.findByRole("button", { name: "Edit the schedule" }));
    expect(edited).toEqual(["wiki"]);
  });

  it("are forgotten at a click", async () => {
    open();
    tryDaily("1");
    await screen.findByText(/These rules/u);
    fireEvent.click(screen.getByRole("button", { name: "Back to the rules in force" }));
    await waitFor(() => expect(screen.queryByText(/These rules/u)).toBeNull());
  });

  it("read and write what a policy says", () => {
    const policy = { daily: 14, last: 3, max_bytes: 1_500_000_001, within: "14d" };

    expect(policyOf(textsOf(policy), policy)).toEqual({ ...policy, max_bytes: "1500000001" });
    expect(policyOf(textsOf(null), null)).toEqual({});
  });
});
