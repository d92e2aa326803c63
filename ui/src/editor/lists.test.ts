import { expect, it } from "vitest";

import { listText, readList } from "./lists";

it.each([
  [["a", "b"], "a, b"],
  [["*,v", "*.tmp"], '"*,v", *.tmp'],
  [["", " lead", "two\nlines"], '"", " lead", "two\\nlines"'],
  [['"quoted"', 'a "b"'], '"\\"quoted\\"", a "b"'],
])("writes %j as %s, and reads it again", (items, text) => {
  expect(listText(items)).toBe(text);
  expect(readList(text)).toEqual(items);
});

it.each([
  [" a,, b ,", ["a", "b"]],
  ['"not closed, b', ['"not closed', "b"]],
  ['"a" b, c', ['"a" b', "c"]],
  ['"\\q", c', ['"\\q"', "c"]],
  ["", []],
])("reads what people type: %s", (text, items) => expect(readList(text)).toEqual(items));
