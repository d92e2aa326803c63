// A number such as 1.0, or one beyond 2^53, is not the same after JavaScript has read it: its text is kept instead.

export type Exact = { readonly rawJSON: string };
type WithRaw = typeof JSON & { isRawJSON?: (value: unknown) => value is Exact; rawJSON?: (text: string) => Exact };

const { isRawJSON, rawJSON } = JSON as WithRaw;

/** Whether a value is a number that is kept as text. */
export const isExact = (value: unknown): value is Exact => isRawJSON?.(value) ?? false;

/** A number as it was written. */
export const numberText = (value: number | Exact): string =>
  typeof value === "number" ? String(value) : value.rawJSON;

const keep = (_: string, value: unknown, context?: { source?: string }): unknown =>
  typeof value === "number" &&
  context?.source !== undefined &&
  context.source !== String(value) &&
  rawJSON !== undefined
    ? rawJSON(context.source)
    : value;

/** Read JSON whose numbers are written again as they were; the oldest browsers read it as any other. */
export const readExactly = (text: string): unknown => JSON.parse(text, keep);
