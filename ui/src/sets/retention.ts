import type { RetentionView } from "../api/types";
import { formatBytes, formatCount } from "../format";

export type Rule = { hint: string; isCount: boolean; key: string; label: string; placeholder: string };

const count = (key: string, label: string, hint: string): Rule => ({
  hint,
  isCount: true,
  key,
  label,
  placeholder: "–",
});

const text = (key: string, label: string, hint: string, placeholder: string): Rule => ({
  hint,
  isCount: false,
  key,
  label,
  placeholder,
});

/** The rules of a policy that say what becomes of sets which are there; a lock is about those to come. */
export const RULES: readonly Rule[] = [
  count("last", "Last", "the newest sets, whatever their age"),
  count("hourly", "Hourly", "the newest set of each of this many hours"),
  count("daily", "Daily", "the newest set of each of this many days"),
  count("weekly", "Weekly", "the newest set of each of this many weeks"),
  count("monthly", "Monthly", "the newest set of each of this many months"),
  count("yearly", "Yearly", "the newest set of each of this many years"),
  text("within", "Within", "every set younger than this", "14d"),
  text("max_age", "At most this old", "older ones go, even when another rule would keep them", "90d"),
  text("max_bytes", "At most this much", "the oldest go until no more is stored", "500GB"),
  count("min_chains", "Chains at least", "never fewer that can be restored; 1 where nothing is said"),
];

export type Texts = Readonly<Record<string, string>>;

const UNITS = [
  ["TB", 1e12],
  ["GB", 1e9],
  ["MB", 1e6],
] as const;

/** A number of bytes as a person writes it, where that is exact. */
const sizeText = (bytes: number): string => {
  const unit = UNITS.find(([, size]) => bytes % size === 0);

  return unit === undefined ? String(bytes) : `${bytes / unit[1]}${unit[0]}`;
};

/** The rules as the fields show them. */
export const textsOf = (policy: RetentionView["policy"]): Texts =>
  Object.fromEntries(
    RULES.map(({ key }) => {
      const value: unknown = policy?.[key];

      return [key, typeof value === "number" ? (key === "max_bytes" ? sizeText(value) : String(value)) : textOf(value)];
    }),
  );

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** What the fields say, as a policy; what they do not show stays as it was. Null where a number is none. */
export const policyOf = (texts: Texts, own: RetentionView["policy"]): Record<string, unknown> | null => {
  const policy: Record<string, unknown> = own?.lock === undefined ? {} : { lock: own.lock };

  for (const { isCount, key } of RULES) {
    const given = texts[key]?.trim() ?? "";

    if (isCount && given !== "" && !/^[1-9]\d{0,5}$/u.test(given)) {
      return null;
    }
    if (given !== "") {
      policy[key] = isCount ? Number(given) : given;
    }
  }

  return policy;
};

/** What rules keep and remove, in words. */
export const sumsOf = ({ bytes_kept: kept, bytes_removed: gone, removed, sets }: RetentionView): string => {
  const keeps = `keep ${formatCount(sets.length - removed, "set")}, ${formatBytes(kept)}`;

  return `${keeps}; ${removed === 0 ? "remove none" : `remove ${removed}, ${formatBytes(gone)}`}`;
};
