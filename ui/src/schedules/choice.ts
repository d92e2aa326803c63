import type { ListQuery } from "../api/queries";
import type { ListState } from "../api/types";
import { PROTECTION } from "../words";

export const STATES: readonly (readonly [ListState, string])[] = [
  ["", "All states"],
  ["attention", "Needs attention"],
  ["running", "Running"],
  ["good", PROTECTION.good.label],
  ["late", PROTECTION.late.label],
  ["at_risk", PROTECTION.at_risk.label],
  ["lost", PROTECTION.lost.label],
  ["broken", PROTECTION.broken.label],
  ["never", PROTECTION.never.label],
  ["disabled", "Disabled"],
];

/** What an address says; one of another release, or typed by hand, narrows nothing. */
export const listState = (text: string | null): ListState => STATES.find(([state]) => state === text)?.[0] ?? "";

/** Which schedules are listed. */
export type ListChoice = Pick<ListQuery, "group" | "q" | "source" | "state" | "tag">;

export const EVERY: ListChoice = { group: "", q: "", source: "", state: "", tag: "" };

export const isNarrowed = (choice: ListChoice): boolean => Object.values(choice).some((value) => value !== "");

/** What an address narrows the list to. */
export const listChoice = (search: URLSearchParams): ListChoice => ({
  group: search.get("group") ?? "",
  q: search.get("q") ?? "",
  source: search.get("source") ?? "",
  state: listState(search.get("state")),
  tag: search.get("tag") ?? "",
});
