import type { EngineInfo, EngineOption } from "../api/types";
import { type Exact, isExact, numberText } from "../exact";
import { listText, readList } from "./lists";

export type Data = Record<string, unknown>;

/** The field of the form for a key of the source. */
export type SourceName = `source.${string}`;

/** What the fields of a source hold, as text. */
export type SourceForm = Readonly<Record<SourceName, string>>;

export const nameOf = ({ key }: EngineOption): SourceName => `source.${key}`;

/** The options of an engine that have a field; an engine that the server does not know is written as YAML. */
export const fieldsOf = (engines: readonly EngineInfo[], engine: string): readonly EngineOption[] =>
  (engines.find(({ name }) => name === engine)?.options ?? []).filter(({ kind }) => kind !== "yaml");

type Written = boolean | Exact | number | string;

const isWritten = (value: unknown): value is Written =>
  ["boolean", "number", "string"].includes(typeof value) || isExact(value);

const wordOf = (value: Written): string =>
  typeof value === "number" || typeof value === "object" ? numberText(value) : String(value);

const textOf = (value: unknown): string =>
  Array.isArray(value) ? listText(value.filter(isWritten).map(wordOf)) : isWritten(value) ? wordOf(value) : "";

/** What an option says in a source, as text; where it says nothing, what holds then. */
const shownOf = (option: EngineOption, source: Data): string => {
  const one = source[option.key];

  if (option.several !== null) {
    const many = source[option.several];

    return Array.isArray(many) ? textOf(many) : isWritten(one) ? textOf([one]) : "";
  }

  return one === undefined || one === null ? usualText(option) : textOf(one);
};

/** The text of a field where nothing is written. */
export const usualText = ({ default: usual }: EngineOption): string => textOf(usual);

/** Fill the fields of a source. */
export const sourceForm = (engines: readonly EngineInfo[], engine: string, source: Data): SourceForm =>
  Object.fromEntries(
    fieldsOf(engines, engine).map((option) => [nameOf(option), shownOf(option, source)]),
  );

/** A number where one was typed; else the text, so that the server says what is wrong with it. */
export const numberOf = (text: string): number | string | undefined => {
  const trimmed = text.trim();
  const number = Number(trimmed);
  const isNumber = /^-?\d+$/u.test(trimmed)
    ? Number.isSafeInteger(number)
    : /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/iu.test(trimmed) && Number.isFinite(number);

  return trimmed === "" ? undefined : isNumber ? number : trimmed;
};

/** The items of a field of numbers; what is no number stays text, for the server to say so. */
const itemsOf = (kind: EngineOption["kind"], text: string): unknown[] =>
  kind === "numbers" ? readList(text).map((item) => numberOf(item) ?? item) : readList(text);

const valueOf = ({ default: usual, kind }: EngineOption, text: string): unknown => {
  switch (kind) {
    case "list":
    case "numbers": {
      const items = itemsOf(kind, text);

      // Nothing where something is usual has to be said.
      return items.length > 0 || (Array.isArray(usual) && usual.length > 0) ? items : undefined;
    }
    case "number":
      return numberOf(text);
    case "switch":
      return text === "" ? undefined : text === "true";
    default:
      return text.trim() === "" ? undefined : text.trim();
  }
};

/** What a field says about the source; what holds anyway is not written. */
const keysOf = (option: EngineOption, text: string): Data => {
  if (option.several !== null) {
    const items = itemsOf(option.kind, text);

    return {
      [option.key]: items.length === 1 ? items[0] : undefined,
      [option.several]: items.length > 1 ? items : undefined,
    };
  }
  const value = valueOf(option, text);

  return { [option.key]: JSON.stringify(value) === JSON.stringify(option.default) ? undefined : value };
};

/** The fields of another engine: what was typed stays where it means the same there. */
export const otherEngine = (engines: readonly EngineInfo[], engine: string, form: SourceForm): SourceForm =>
  Object.fromEntries(
    fieldsOf(engines, engine).map((option) => {
      const typed = form[nameOf(option)];
      const fits = option.kind !== "choice" || option.choices.some(({ value }) => value === typed);

      return [nameOf(option), typed !== undefined && fits ? typed : usualText(option)];
    }),
  );

/** Write fields into a source. */
export const writeFields = (source: Data, options: readonly EngineOption[], form: SourceForm): Data => {
  const written = Object.assign({}, ...options.map((option) => keysOf(option, form[nameOf(option)] ?? ""))) as Data;

  return Object.fromEntries(Object.entries({ ...source, ...written }).filter(([, value]) => value !== undefined));
};

/** The field of a key of the source; null where it has none. */
export const placeOfKey = (engines: readonly EngineInfo[], engine: string, key: string): SourceName | null => {
  const found = fieldsOf(engines, engine).find((option) => option.key === key || option.several === key);

  return found === undefined ? null : nameOf(found);
};

/** The field for what is wrong with the source as a whole: of the first key that the sentence names. */
export const placeOfWords = (engines: readonly EngineInfo[], engine: string, message: string): SourceName | null =>
  [...message.matchAll(/`(\w+)/gu)]
    .map(([, key = ""]) => placeOfKey(engines, engine, key))
    .find((place) => place !== null) ?? null;
