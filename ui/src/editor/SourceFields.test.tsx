import { ChakraProvider, defaultSystem } from "@chakra-ui/react";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";

import { ENGINES } from "../test/engines";
import { SourceFields } from "./SourceFields";
import type { SourceForm } from "./sources";

afterEach(cleanup);

const open = (form: SourceForm): Record<string, string> => {
  const typed: Record<string, string> = {};

  render(
    <ChakraProvider value={defaultSystem}>
      <SourceFields
        bind={(name) => ({
          name,
          onChange: (value) => {
            typed[name] = value;
          },
          problem: undefined,
          value: form[name] ?? "",
        })}
        engine="tape"
        engines={ENGINES}
      />
    </ChakraProvider>,
  );

  return typed;
};

const choices = (label: string): (string | null)[] =>
  [...screen.getByLabelText<HTMLSelectElement>(label).options].map(({ text }) => text);

it("lets go back to nothing what was chosen and does not have to be", () => {
  const typed = open({ "source.rewind": "false", "source.side": "b" });

  expect(choices("side")).toEqual(["Not set", "a ones", "b ones"]);
  expect(choices("rewind")).toEqual(["Not set", "Yes", "No"]);
  fireEvent.change(screen.getByLabelText("side"), { target: { value: "" } });
  fireEvent.change(screen.getByLabelText("rewind"), { target: { value: "" } });
  expect(typed).toEqual({ "source.rewind": "", "source.side": "" });
});

it("says in an empty field what holds then", () => {
  open({ "source.codes": "", "source.patterns": "" });

  expect(screen.getByLabelText<HTMLInputElement>("codes").placeholder).toBe("0");
});

it("keeps where the lines of a text end", () => {
  open({ "source.patterns": "two\nlines" });

  expect(screen.getByLabelText<HTMLTextAreaElement>("patterns").value).toBe("two\nlines");
});
