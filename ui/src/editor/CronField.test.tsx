import { ChakraProvider, defaultSystem } from "@chakra-ui/react";
import { fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { expect, it } from "vitest";

import { CronField } from "./CronField";

const Field = ({ cron }: { readonly cron: string }) => {
  const [value, setValue] = useState(cron);

  return (
    <ChakraProvider value={defaultSystem}>
      <CronField isOpen label="Cron" name="cron" onChange={setValue} value={value} />
    </ChakraProvider>
  );
};

const text = (): string => screen.getByLabelText<HTMLInputElement>(/^Cron/u, { selector: "input" }).value;
const press = (name: string): boolean => fireEvent.click(screen.getByRole("button", { name }));

it("changes the text by what is pressed, and shows what the text says", () => {
  render(<Field cron="0 2 * * mon-fri" />);
  expect(screen.getByRole("button", { name: "Mon" }).getAttribute("aria-pressed")).toBe("true");
  press("14");
  expect(text()).toBe("0 2,14 * * mon-fri");
  press("Sat");
  press(":30");
  expect(text()).toBe("*/30 2,14 * * mon-sat");
  fireEvent.change(screen.getByLabelText("On"), { target: { value: "nth" } });
  expect(text()).toBe("*/30 2,14 * * sun#1");
});

it("keeps one hour at least: an expression without any would be wrong", () => {
  render(<Field cron="0 2 * * *" />);
  press("02");
  expect(text()).toBe("0 2 * * *");
});

it.each(["0 2 15,L * *", "nonsense", "0 2 * * mon#1,wed#2"])("leaves %s as it is written", (cron) => {
  render(<Field cron={cron} />);
  expect(text()).toBe(cron);
  expect(screen.getByText(/stays as it is written/u)).toBeTruthy();
});
