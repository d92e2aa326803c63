import { expect, it } from "vitest";

import type { Progress, Run } from "../api/types";
import { RUN } from "../test/samples";
import { progressText, share } from "./RunProgress";

const at = (progress: Partial<Progress>): Run => ({
  ...RUN,
  progress: {
    bytes_done: 0,
    bytes_total: null,
    eta: null,
    files_done: 0,
    files_total: null,
    percent: null,
    rate: null,
    stage: "reading",
    ...progress,
  },
  status: "running",
});

it("takes the share that the run itself knows", () => expect(share(at({ bytes_done: 1, percent: 40 }), 10)).toBe(40));

it("guesses by the last good run where the total is unknown, and says that it guesses", () => {
  expect(share(at({ bytes_done: 5 }), 10)).toBe(50);
  expect(progressText(at({ bytes_done: 5 }), 10)).toBe("Reading · about 50 % · 5 B");
});

it("never says that it is done before it is", () => expect(share(at({ bytes_done: 50 }), 10)).toBe(99));

it("knows nothing the first time", () => expect(share(at({ bytes_done: 5 }), null)).toBeNull());

it("says what a run waits for", () =>
  expect(progressText({ ...RUN, reason: "waits for its window", status: "pending" }, null)).toBe(
    "Waits for its window",
  ));
