import type { BulkTarget } from "../api/changes";

const NAMED = 12;

/** Which schedules a verb is for. */
export type Target = {
  readonly body: BulkTarget;
  readonly count: number;
  /** Whether some of them are on other pages, where nobody saw them. */
  readonly isUnseen: boolean;
  /** Which they are, in words. */
  readonly text: string;
};

/** The names, as many as a person reads. */
export const listed = (ids: readonly string[]): string =>
  ids.length <= NAMED ? ids.join(", ") : `${ids.slice(0, NAMED).join(", ")} and ${ids.length - NAMED} more`;

export const ticked = (ids: readonly string[]): Target => ({
  body: { ids },
  count: ids.length,
  isUnseen: false,
  text: listed(ids),
});

export const allThatMatch = (ids: readonly string[]): Target => ({
  body: { ids },
  count: ids.length,
  isUnseen: true,
  text: `All that match now, also on the other pages: ${listed(ids)}. One that is made later is not among them.`,
});

export const wholeGroup = (group: string, count: number): Target => ({
  body: { group },
  count,
  isUnseen: true,
  text: `All schedules of the group ${group}, also those that the filters hide.`,
});

export const wholeTag = (tag: string, count: number): Target => ({
  body: { tag },
  count,
  isUnseen: true,
  text: `All schedules with the tag ${tag}.`,
});
