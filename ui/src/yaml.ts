const PLAIN = /^[A-Za-z_/][\w ./@+()-]*$/u;
const WORDS = new Set(["", "false", "n", "no", "null", "off", "on", "true", "y", "yes", "~"]);

const scalar = (value: unknown): string => {
  if (typeof value !== "string") {
    return JSON.stringify(value);
  }

  return PLAIN.test(value) && !WORDS.has(value.toLowerCase()) && !value.endsWith(" ") ? value : JSON.stringify(value);
};

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isEmpty = (value: object): boolean => Object.keys(value).length === 0;

/** Plain data as YAML, for reading: the definition as a person would have written it. */
export const toYaml = (value: unknown, indent = ""): string => {
  if (Array.isArray(value)) {
    return value.map((item) => `${indent}- ${block(item, `${indent}  `).trimStart()}`).join("\n");
  }
  if (isMapping(value)) {
    return Object.entries(value)
      .map(([key, item]) => {
        const nested = typeof item === "object" && item !== null && !isEmpty(item);

        return nested ? `${indent}${key}:\n${toYaml(item, `${indent}  `)}` : `${indent}${key}: ${scalar(item)}`;
      })
      .join("\n");
  }

  return `${indent}${scalar(value)}`;
};

const block = (value: unknown, indent: string): string =>
  typeof value === "object" && value !== null && isEmpty(value) ? `${indent}${JSON.stringify(value)}` : toYaml(value, indent);
