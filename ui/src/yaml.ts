import { isExact } from "./exact";

const PLAIN = /^[A-Za-z_/][\w ./@+()-]*$/u;
const WORDS = new Set(["", "false", "n", "no", "null", "off", "on", "true", "y", "yes", "~"]);

/** What JSON leaves as it is, and YAML takes for the end of a line, or not at all. */
const UNPRINTABLE = /[\u007f-\u00a0\u2028\u2029\ufeff\ufffe\uffff]/gu;

const escaped = (letter: string): string => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;

const quoted = (text: string): string => JSON.stringify(text).replace(UNPRINTABLE, escaped);

const word = (text: string): string =>
  PLAIN.test(text) && !WORDS.has(text.toLowerCase()) && !text.endsWith(" ") ? text : quoted(text);

// Readers of YAML 1.1 take `1e20` and `1e+20` for text.
const number = (value: unknown): string =>
  JSON.stringify(value).replace(
    /^(-?\d+)(\.\d+)?e([+-]?)(?=\d)/iu,
    (_, whole: string, fraction = ".0", sign = "") => `${whole}${String(fraction)}e${sign === "" ? "+" : String(sign)}`,
  );

// `${` begins a variable in a schedules file; twice the sign stands for the text itself.
const scalar = (value: unknown): string =>
  typeof value === "string" ? word(value.replaceAll("${", () => "$${")) : number(value);

const isNested = (value: unknown): value is object => typeof value === "object" && value !== null && !isExact(value);

const isMapping = (value: unknown): value is Record<string, unknown> => isNested(value) && !Array.isArray(value);

const isEmpty = (value: object): boolean => Object.keys(value).length === 0;

/** Plain data as YAML, for reading: the definition as a person would have written it. */
export const toYaml = (value: unknown, indent = ""): string => {
  if (Array.isArray(value)) {
    return value.map((item) => `${indent}- ${block(item, `${indent}  `).trimStart()}`).join("\n");
  }
  if (isMapping(value)) {
    return Object.entries(value)
      .map(([key, item]) =>
        isNested(item) && !isEmpty(item)
          ? `${indent}${word(key)}:\n${toYaml(item, `${indent}  `)}`
          : `${indent}${word(key)}: ${scalar(item)}`,
      )
      .join("\n");
  }

  return `${indent}${scalar(value)}`;
};

const block = (value: unknown, indent: string): string =>
  isNested(value) && isEmpty(value) ? `${indent}${JSON.stringify(value)}` : toYaml(value, indent);
