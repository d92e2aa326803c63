import { ChakraProvider, defaultSystem } from "@chakra-ui/react";
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { createClient } from "../api/refresh";
import type { Place, RecoveryPlan } from "../api/types";
import { SCHEDULE } from "../test/samples";
import { RestoreDialog } from "./RestoreDialog";

const NOWHERE = { executor: null, executor_config: null, hosts: [], pool: null, schedules: 1 };
const OWN: Place = { ...NOWHERE, id: "backup_restore", queue: null };
const OTHER: Place = { ...NOWHERE, hosts: ["nas1"], id: "backup_restore__nas", queue: "nas" };
const PLAN = {
  at: "2026-11-21T02:00:00Z",
  consistent_at: "2026-11-21T02:00:00Z",
  sets: [{ set_id: "the-set" }],
} as RecoveryPlan;

let places: Place[];
let sent: unknown[];

beforeEach(() => {
  [places, sent] = [[OWN, OTHER], []];
  vi.stubGlobal("fetch", (url: string, { body }: { body?: string } = {}) => {
    if (body !== undefined) {
      sent.push(JSON.parse(body));
    }

    return Promise.resolve(
      new Response(JSON.stringify(url.includes("places") ? { places } : { dag_id: "d", run_id: "r" })),
    );
  });
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const open = (): void => {
  render(
    <ChakraProvider value={defaultSystem}>
      <QueryClientProvider client={createClient()}>
        <RestoreDialog onClose={() => undefined} plan={PLAN} schedule={SCHEDULE} />
      </QueryClientProvider>
    </ChakraProvider>,
  );
};

const restore = async (): Promise<void> => {
  fireEvent.change(screen.getByLabelText(`Type ${SCHEDULE.id} to confirm`), { target: { value: SCHEDULE.id } });
  fireEvent.click(screen.getByRole("button", { name: "Restore" }));
  await waitFor(() => expect(sent).toHaveLength(1));
};

it("sends a restore to the workers that were chosen, by their queue and hosts", async () => {
  open();
  fireEvent.change(await screen.findByLabelText("Workers"), { target: { value: OTHER.id } });
  expect(screen.getByRole("option", { name: "queue nas (nas1)" })).toBeTruthy();
  await restore();
  expect(sent[0]).toMatchObject({ confirm: SCHEDULE.id, place: "backup_restore__nas" });
});

it("says as of when", () => {
  open();
  expect(screen.getByText(/^As of .*21 November 2026/u)).toBeTruthy();
});

it("leaves it to the schedule where nothing is chosen", async () => {
  open();
  await screen.findByLabelText("Workers");
  await restore();
  expect(sent[0]).not.toHaveProperty("place");
});

it("asks for no workers where all schedules have the same", async () => {
  places = [OWN];
  open();
  await restore();
  expect(screen.queryByLabelText("Workers")).toBeNull();
});
