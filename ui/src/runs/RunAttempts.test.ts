import { describe, expect, it } from "vitest";

import { RUN } from "../test/samples";
import { linesOf } from "./RunAttempts";

describe("what happened in a run", () => {
  it("tells attempts and orders in their order", () => {
    const told = linesOf({
      attempts: [
        {
          definition: null,
          definition_version: null,
          error: "no route to host",
          executor: "CeleryExecutor",
          failure_class: "network",
          finished_at: "2026-11-28T02:00:30Z",
          hint: null,
          host: "nas1",
          number: 1,
          queue: "nas",
          started_at: "2026-11-28T02:00:00Z",
          status: "failed",
        },
        {
          definition: null,
          definition_version: null,
          error: null,
          executor: null,
          failure_class: null,
          finished_at: null,
          hint: null,
          host: null,
          number: 2,
          queue: null,
          started_at: "2026-11-28T02:01:30Z",
          status: "running",
        },
      ],
      orders: [{ action: "pause", at: "2026-11-28T02:01:00Z", by: "ann", reason: "month end" }],
      run: RUN,
    });

    expect(told.map(({ text }) => text)).toEqual([
      "Attempt 1 on nas1 (queue nas, CeleryExecutor): failed after 30 s: no route to host",
      "Paused by ann: month end",
      "Attempt 2: running",
    ]);
  });
});
