import type { Kind, RecoveryPlan } from "../api/types";
import { formatBytes, formatMoment } from "../format";
import { kindOf } from "../words";

/** As many as the server takes, and as long. */
const [MOST, LONGEST] = [1_000, 4_096];

/** The files and folders of a text, one a line. */
export const pathsOf = (text: string): string[] =>
  text
    .split(/\r?\n/u)
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** What is wrong with them, or null. */
export const problemOf = (paths: readonly string[]): string | null => {
  if (paths.length > MOST) {
    return `at most ${MOST.toLocaleString("en-US")} at once; a folder stands for all that is in it`;
  }

  return paths.some((path) => path.length > LONGEST) ? `no path has more than ${LONGEST} letters` : null;
};

/** A word as a shell takes it. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;

/** The plan's command with what was chosen: where to, and which parts. */
export const commandOf = ({ command }: RecoveryPlan, target: string, paths: readonly string[]): string =>
  [
    target === "" ? command : command.replace(/(?<=--to )TARGET$/u, () => shellWord(target)),
    ...paths.map((path) => `--path ${shellWord(path)}`),
  ].join(" ");

const countOf = (kind: Kind, count: number): string =>
  count === 1 ? kindOf(kind) : `${count} ${kindOf(kind)}${kind === "archive_log" ? "s" : ""}`;

/** Which kinds of sets a plan reads: a chain of fifty is told in a few words. */
export const kindsOf = ({ sets }: RecoveryPlan): string => {
  const counts = new Map<Kind, number>();

  for (const { kind } of sets) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }

  return [...counts].map(([kind, count]) => countOf(kind, count)).join(" + ");
};

export const setText = ({ bytes_stored: bytes, consistent_at: at, kind }: RecoveryPlan["sets"][number]): string =>
  `${formatMoment(at)}, ${kindOf(kind)}, ${formatBytes(bytes)}`;
