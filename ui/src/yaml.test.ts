import { expect, it } from "vitest";

import { toYaml } from "./yaml";

it("writes a definition as a person would have", () =>
  expect(
    toYaml({
      alert_after: "26h",
      enabled: true,
      id: "orders",
      levels: { full: "0 2 * * sun" },
      skip_on: [{ dates: ["2026-12-24"], name: "freeze" }],
      source: { engine: "sqlite", path: "/srv/orders.db" },
      tags: [],
    }),
  ).toBe(
    [
      'alert_after: "26h"',
      "enabled: true",
      "id: orders",
      "levels:",
      '  full: "0 2 * * sun"',
      "skip_on:",
      "  - dates:",
      '      - "2026-12-24"',
      "    name: freeze",
      "source:",
      "  engine: sqlite",
      "  path: /srv/orders.db",
      "tags: []",
    ].join("\n"),
  ));

it.each(["no", "true", "", "1h", "a: b", "# x", "x "])("quotes what YAML would read as something else: %j", (text) =>
  expect(toYaml({ key: text })).toBe(`key: ${JSON.stringify(text)}`),
);

it.each([
  [1e21, "1.0e+21"],
  [-5e-324, "-5.0e-324"],
  [1.5e-7, "1.5e-7"],
  [100, "100"],
])("writes the number %d so that older readers take it for one", (number, text) =>
  expect(toYaml({ key: number })).toBe(`key: ${text}`),
);
