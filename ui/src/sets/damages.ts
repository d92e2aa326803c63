import type { VerificationNote } from "../api/types";
import { formatBytes, sentence } from "../format";

/** A damaged block, as a person reads it, and the files of the source that lie in it. */
export type Damage = { concerns: readonly string[]; what: string };

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** Where the block lies, in the object of the repository. */
const placeOf = ({ file, length, offset, piece }: Record<string, unknown>): string => {
  const name = textOf(piece) || textOf(file);

  return typeof offset === "number" && typeof length === "number"
    ? `${name}, ${formatBytes(length)} at byte ${offset.toLocaleString("en-US")}`
    : name;
};

/** What an older release noted may lack parts; what is there is shown. */
export const damagesOf = ({ damages }: VerificationNote): Damage[] =>
  damages.map((damage) => ({
    concerns: Array.isArray(damage.concerns) ? damage.concerns.filter((each) => typeof each === "string") : [],
    what: [sentence(textOf(damage.kind)), placeOf(damage), textOf(damage.what)].filter(Boolean).join(": "),
  }));
