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
