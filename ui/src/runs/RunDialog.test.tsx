import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, it, vi } from "vitest";

import { draw } from "../test/page";
import { SCHEDULE } from "../test/samples";
import { RunDialog } from "./RunDialog";

let posts: string[];

beforeEach(() => {
  posts = [];
  vi.stubGlobal("fetch", async (url: string, init?: RequestInit) => {
    posts.push(`${url.replace(/^.*v1\//u, "")} ${typeof init?.body === "string" ? init.body : ""}`);

    return Promise.resolve(new Response("{}"));
  });
});

const rhythms = [
  { kind: "full" as const, text: "On Sundays", when: "0 2 * * sun" },
  { kind: "incremental" as const, text: "At 02:00", when: "0 2 * * *" },
];

it("runs a schedule with a kind and a note", async () => {
  const close = vi.fn();

  draw(<RunDialog onClose={close} schedule={{ ...SCHEDULE, rhythms }} />);
  const dialog = await screen.findByRole("dialog", { name: "Run wiki now" });

  fireEvent.change(within(dialog).getByRole("combobox", { name: "Kind" }), { target: { value: "full" } });
  fireEvent.change(within(dialog).getByRole("textbox", { name: "Note" }), { target: { value: " before 2.0 " } });
  fireEvent.click(within(dialog).getByRole("button", { name: "Run now" }));
  await waitFor(() => expect(posts).toEqual(['schedules/wiki/run {"kind":"full","note":"before 2.0"}']));
  await waitFor(() => expect(close).toHaveBeenCalled());
});

it("says nothing that was left out", async () => {
  draw(<RunDialog onClose={vi.fn()} schedule={SCHEDULE} />);
  const dialog = await screen.findByRole("dialog", { name: "Run wiki now" });

  expect(within(dialog).queryByRole("combobox")).toBeNull();
  fireEvent.click(within(dialog).getByRole("button", { name: "Run now" }));
  await waitFor(() => expect(posts).toEqual(["schedules/wiki/run {}"]));
});
