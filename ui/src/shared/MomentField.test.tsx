import { ChakraProvider, defaultSystem } from "@chakra-ui/react";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, it } from "vitest";

import { Until } from "./dialogs";
import { MomentField } from "./MomentField";

let moment: number;

const Held = ({ first, kind }: { readonly first: number; readonly kind: "moment" | "until" }) => {
  const [value, setValue] = useState(first);
  const change = (given: number): void => {
    moment = given;
    setValue(given);
  };

  return kind === "until" ? (
    <Until onChange={change} value={value} />
  ) : (
    <MomentField label="Until" onChange={change} value={value}>
      A hint.
    </MomentField>
  );
};

const open = (first: number, kind: "moment" | "until" = "moment"): HTMLInputElement => {
  moment = first;
  render(
    <ChakraProvider value={defaultSystem}>
      <Held first={first} kind={kind} />
    </ChakraProvider>,
  );

  return screen.getByLabelText("Until");
};

const type = (field: HTMLInputElement, value: string): string => {
  fireEvent.change(field, { target: { value } });

  return Number.isNaN(moment) ? "none" : new Date(moment).toISOString();
};

beforeEach(() => localStorage.setItem("timezone", JSON.stringify("Europe/Berlin")));
afterEach(() => {
  cleanup();
  localStorage.clear();
});

it("takes what is typed for the clock of the page, whatever the browser's is", () =>
  expect(type(open(NaN), "2027-01-05T09:00")).toBe("2027-01-05T08:00:00.000Z"));

it.each(["moment", "until"] as const)("says that the clock leaves a time out, and what is meant: %s", (kind) => {
  const field = open(NaN, kind);

  expect(type(field, "2027-03-28T02:30")).toBe("2027-03-28T01:30:00.000Z");
  expect(field.value).toBe("2027-03-28T02:30");
  expect(screen.getByRole("status").textContent).toMatch(/Europe\/Berlin leaves this time out.*03:30/u);
  expect(type(field, "2027-03-28T22:30")).toBe("2027-03-28T20:30:00.000Z");
  expect(screen.queryByRole("status")).toBeNull();
});

it("shows the moment, and says no more of a time that was left out, when another one is chosen", () => {
  const field = open(NaN, "until");

  type(field, "2027-03-28T02:30");
  fireEvent.click(screen.getByRole("button", { name: "1 day" }));
  expect(screen.queryByRole("status")).toBeNull();
  expect(field.value).not.toBe("2027-03-28T02:30");
});

it.each(["moment", "until"] as const)("asks which of two is meant: %s", (kind) => {
  const field = open(NaN, kind);

  expect(type(field, "2027-10-31T02:30")).toBe("2027-10-31T01:30:00.000Z");
  fireEvent.click(screen.getByRole("button", { name: "The first time" }));
  expect(new Date(moment).toISOString()).toBe("2027-10-31T00:30:00.000Z");
  expect(field.value).toBe("2027-10-31T02:30");
});

it("keeps the first of two where a span leads there", () => {
  const first = Date.UTC(2027, 9, 31, 0, 30);
  const field = open(first, "until");

  expect(field.value).toBe("2027-10-31T02:30");
  expect(screen.getByRole("button", { name: "The first time" }).getAttribute("aria-pressed")).toBe("true");
  expect(moment).toBe(first);
});

it("is none while nothing whole is typed", () => expect(type(open(Date.now()), "")).toBe("none"));
