import { expect, it } from "vitest";

import { isExact, readExactly } from "./exact";
import { toYaml } from "./yaml";

it("writes numbers again as they came", () => {
  const text = '{"a":1.0,"b":9007199254740993,"c":1e300,"d":7,"e":"1.0"}';
  const read = readExactly(text) as Record<string, unknown>;

  expect(JSON.stringify(read)).toBe(text);
  expect(toYaml(read)).toBe('a: 1.0\nb: 9007199254740993\nc: 1.0e+300\nd: 7\ne: "1.0"');
  expect([isExact(read.a), isExact(read.d)]).toEqual([true, false]);
});
