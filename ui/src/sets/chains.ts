import type { SetSummary } from "../api/types";
import { formatCount } from "../format";
import { type Palette, proofOf } from "../words";

/** A set below its full set; `depth` counts what lies between: a change of a differential is one deeper. */
export type Link = { depth: number; set: SetSummary };

export type Chain = {
  bytes: number;
  /** The full set; null where the list does not reach back to it, or it is not there any more. */
  full: SetSummary | null;
  id: string;
  /** What hangs under the full set, the oldest first. */
  links: readonly Link[];
  newest: SetSummary;
  oldest: SetSummary;
  /** All of it, the oldest first. */
  sets: readonly SetSummary[];
};

const byAge = (one: SetSummary, other: SetSummary): number =>
  one.consistent_at.localeCompare(other.consistent_at) || one.set_id.localeCompare(other.set_id);

const linksOf = (sets: readonly SetSummary[]): Link[] => {
  const known = new Map<string, Link>();

  for (const set of sets) {
    const below = set.kind === "incremental" && set.parent !== null ? known.get(set.parent) : undefined;
    const depth =
      below === undefined || below.set.kind === "full" || below.set.kind === "archive_log"
        ? 1
        : below.depth + (below.set.kind === "differential" ? 1 : 0);

    known.set(set.set_id, { depth, set });
  }

  return [...known.values()];
};

/** Which lines go on below a link: of each depth up to its own, whether another link hangs on it. */
export const railsOf = (links: readonly Link[], index: number): boolean[] => {
  const { depth = 0 } = links[index] ?? {};

  return Array.from({ length: depth }, (_, level) => {
    const next = links.slice(index + 1).find((link) => link.depth <= level + 1);

    return next?.depth === level + 1;
  });
};

/** The chains of a list of sets, that with the newest set first. */
export const chainsOf = (sets: readonly SetSummary[]): Chain[] => {
  const grouped = new Map<string, SetSummary[]>();

  for (const set of [...sets].sort(byAge)) {
    const id = set.base ?? set.set_id;

    const members = grouped.get(id);

    if (members === undefined) {
      grouped.set(id, [set]);
    } else {
      members.push(set);
    }
  }

  return [...grouped]
    .flatMap(([id, members]) => chainOf(id, members))
    .sort((one, other) => byAge(other.newest, one.newest));
};

const chainOf = (id: string, sets: readonly SetSummary[]): Chain[] => {
  const [oldest, newest] = [sets[0], sets.at(-1)];

  return oldest === undefined || newest === undefined
    ? []
    : [
        {
          bytes: sets.reduce((sum, { bytes_stored: bytes }) => sum + bytes, 0),
          full: sets.find(({ set_id: each }) => each === id) ?? null,
          id,
          links: linksOf(sets.filter(({ set_id: each }) => each !== id)),
          newest,
          oldest,
          sets,
        },
      ];
};

export type Tally = { label: string; palette: Palette };

/** What is proven of a chain, the worst first. */
export const proofsOf = ({ sets }: Chain): Tally[] => {
  const proofs = sets.map((set) => proofOf(set).palette);
  const [damaged, verified] = (["failed", "success"] as const).map(
    (wanted) => proofs.filter((palette) => palette === wanted).length,
  ) as [number, number];
  const lost = sets.filter(({ unrestorable }) => unrestorable !== null).length;

  return [
    ...(damaged > 0 ? [{ label: `${damaged} damaged`, palette: "failed" as const }] : []),
    ...(lost > 0 ? [{ label: `${lost} cannot be restored`, palette: "failed" as const }] : []),
    verified === sets.length
      ? { label: sets.length === 1 ? "Verified" : `All ${sets.length} verified`, palette: "success" }
      : { label: `${verified} of ${formatCount(sets.length, "set")} verified`, palette: "none" },
  ];
};
