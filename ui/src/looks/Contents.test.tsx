import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { useState } from "react";
import { beforeEach, expect, it, vi } from "vitest";

import { draw } from "../test/page";
import { Contents } from "./Contents";

const entry = (path: string, more: object = {}): object => ({
  files: null,
  kind: "file",
  modified: null,
  name: path.split("/").at(-1),
  path,
  restorable: true,
  rows: null,
  size: 3,
  ...more,
});
const FOLDERS: Record<string, object[]> = {
  "": [
    entry("docs", { files: 2, kind: "folder", size: 2_000 }),
    entry("a.txt"),
    entry("key", { kind: "unread", restorable: false, size: null }),
    entry("two\nlines"),
  ],
  docs: [entry("docs/plan.pdf"), entry("docs/old.pdf")],
};
let asked: string[];

beforeEach(() => {
  asked = [];
  const bodies: { find?: string; folder?: string }[] = [];

  vi.stubGlobal("fetch", (input: string, init?: RequestInit) => {
    if (init?.method === "POST") {
      const body = typeof init.body === "string" ? init.body : "{}";

      asked.push(body);
      bodies.push(JSON.parse(body) as { find?: string; folder?: string });

      return Promise.resolve(
        new Response(JSON.stringify({ dag_id: "backup_ask", run_id: String(bodies.length), schedule_id: "wiki" })),
      );
    }
    const { find, folder } = bodies[Number(new URL(input).pathname.split("/").at(-1)) - 1] ?? {};
    const entries = find === undefined ? (FOLDERS[folder ?? ""] ?? []) : [entry("docs/plan.pdf")];

    return Promise.resolve(
      new Response(
        JSON.stringify({
          contents: { consistent_at: "2026-11-20T02:00:00Z", entries, set_id: "s", total: entries.length },
          dag_id: "backup_ask",
          dry_run: null,
          problem: null,
          run_id: "1",
          state: "done",
        }),
      ),
    );
  });
});

const Chooser = ({ onEnd }: { readonly onEnd: (paths: string[]) => void }) => {
  const [chosen, setChosen] = useState<string[]>([]);
  const choose = (path: string, isChosen: boolean): void => {
    const next = isChosen ? [...chosen, path] : chosen.filter((each) => each !== path);

    setChosen(next);
    onEnd(next);
  };

  return <Contents chosen={chosen} onChoose={choose} setId="the-set" />;
};

const open = async (onEnd: (paths: string[]) => void = () => undefined): Promise<void> => {
  draw(<Chooser onEnd={onEnd} />);
  fireEvent.click(screen.getByRole("button", { name: "Look into the set …" }));
  await screen.findByText("a.txt");
};

it("shows folders with their sums, goes into one and back without asking twice", async () => {
  await open();
  expect(screen.getByText("2 files · 2.0 kB")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "docs/" }));
  await screen.findByText("plan.pdf");
  fireEvent.click(screen.getByRole("button", { name: "Top" }));
  await screen.findByText("a.txt");
  fireEvent.click(screen.getByRole("button", { name: "docs/" }));
  await screen.findByText("plan.pdf");
  expect(asked).toEqual(['{"folder":""}', '{"folder":"docs"}']);
});

it("chooses paths as a restore takes them, and none that it could not name", async () => {
  let paths: string[] = [];

  await open((next) => (paths = next));
  fireEvent.click(screen.getByRole("checkbox", { name: "Restore a.txt" }));
  await waitFor(() => expect(paths).toEqual(["a.txt"]));
  fireEvent.click(screen.getByRole("button", { name: "docs/" }));
  fireEvent.click(await screen.findByRole("checkbox", { name: "Restore plan.pdf" }));
  await waitFor(() => expect(paths).toEqual(["a.txt", "docs/plan.pdf"]));
  fireEvent.click(screen.getByRole("button", { name: "Top" }));
  await screen.findByText("a.txt");
  expect(screen.getByRole<HTMLInputElement>("checkbox", { name: "Restore a.txt" }).checked).toBe(true);
  expect(screen.getByRole<HTMLInputElement>("checkbox", { name: "Restore key" }).disabled).toBe(true);
  expect(screen.getByRole<HTMLInputElement>("checkbox", { name: /two/u }).disabled).toBe(true);
});

it("finds a name anywhere, and shows where it lies", async () => {
  await open();
  fireEvent.change(screen.getByLabelText("Find a name in the set"), { target: { value: "plan" } });
  fireEvent.click(screen.getByRole("button", { name: "Find" }));
  const [line] = await screen.findAllByTestId("entry");

  await waitFor(() => expect(asked).toContain('{"find":"*plan*"}'));
  expect(line).toBeTruthy();
  await waitFor(() => expect(within(screen.getByTestId("entry")).getByText("docs/plan.pdf")).toBeTruthy());
});
