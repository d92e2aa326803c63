import { expect, test } from "vitest";

import type { FeedEvent } from "../api/types";
import { newsOf } from "./News";

const event = (word: FeedEvent["event"], detail: Record<string, unknown> = {}): FeedEvent => ({
  actor: "airflow-backup",
  at: "2026-11-21T02:00:00Z",
  detail,
  event: word,
  id: 1,
  schedule_id: "wiki",
});

test("what a person should hear of is told with its reason", () => {
  expect(newsOf(event("failed_final", { error: "no room left" }))).toEqual({
    description: "no room left",
    title: "wiki failed",
    type: "error",
  });
  expect(newsOf({ ...event("stale", { reason: "no runs" }), schedule_id: null })?.title).toBe("Airflow is not safe");
});

test("what shows by itself is not told", () => {
  expect(newsOf(event("started"))).toBeNull();
  expect(newsOf(event("completed"))).toBeNull();
});
