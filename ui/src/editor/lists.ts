/** An item that a comma would part, or that would be cut when it is read again, stands in quotes. */
const needsQuotes = (item: string): boolean =>
  item === "" || item !== item.trim() || /^"|[,\p{Cc}\u2028\u2029]/u.test(item);

/** Several texts in one field, with commas between them. */
export const listText = (items: readonly string[]): string =>
  items.map((item) => (needsQuotes(item) ? JSON.stringify(item) : item)).join(", ");

const QUOTED = /^"(?:[^"\\]|\\.)*"(?=\s*(?:,|$))/u;

const nextItem = (text: string): { item: string; length: number } => {
  const found = QUOTED.exec(text)?.[0];

  try {
    if (found !== undefined) {
      return { item: JSON.parse(found) as string, length: found.length };
    }
  } catch {
    // No text that JSON knows: it means itself.
  }
  const end = text.indexOf(",");
  const length = end === -1 ? text.length : end;

  return { item: text.slice(0, length).trim(), length };
};

/** The texts of a field, as `listText` writes them; what stands in quotes may hold commas. */
export const readList = (text: string): string[] => {
  const items: string[] = [];
  let rest = text.trimStart();

  while (rest !== "") {
    const isQuoted = rest.startsWith('"');
    const { item, length } = nextItem(rest);

    if (item !== "" || (isQuoted && length > 0)) {
      items.push(item);
    }
    rest = rest.slice(length).replace(/^\s*,?\s*/u, "");
  }

  return items;
};
