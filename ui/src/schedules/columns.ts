import { usePreference, useStored } from "../shared/preference";

export type Column = "backup" | "failures" | "last_run" | "next_run" | "size" | "strip" | "verified";

/** The columns in their order, with what the list is sorted by; null where it cannot be. */
export const COLUMNS: readonly { key: Column; label: string; sort: string | null }[] = [
  { key: "backup", label: "Backup", sort: null },
  { key: "next_run", label: "Next run", sort: "next_run" },
  { key: "last_run", label: "Last run", sort: "last_run" },
  { key: "failures", label: "Failures", sort: null },
  { key: "verified", label: "Verified", sort: null },
  { key: "strip", label: "Last 30 days", sort: null },
  { key: "size", label: "Size", sort: "bytes" },
];

const isColumn = (text: string): text is Column => COLUMNS.some(({ key }) => key === text);

/** Hidden until somebody asks for it: where runs fail, the last run says so, too. */
const AT_FIRST = "failures";

/** Those that somebody hid in this browser; a column of a later release shows until it is hidden. */
export const hiddenColumns = (stored: string | null): ReadonlySet<Column> =>
  new Set((stored ?? AT_FIRST).split(" ").filter(isColumn));

/** Which columns are shown, and a way to show or hide one. */
export const useColumns = () => {
  const [stored, store] = useStored("hidden columns");
  const hidden = hiddenColumns(stored);
  const show = (column: Column, isShown: boolean): void =>
    store([...[...hidden].filter((each) => each !== column), ...(isShown ? [] : [column])].join(" "));

  return { hidden, show };
};

/** How much room a row takes. */
export const useDensity = () => usePreference("density", ["comfortable", "compact"]);
