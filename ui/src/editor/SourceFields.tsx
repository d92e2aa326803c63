import { Box, Button, SimpleGrid, Text } from "@chakra-ui/react";
import { useState } from "react";

import type { EngineInfo, EngineOption } from "../api/types";
import { Words } from "../shared/Problem";
import { type Bind, Choice, SwitchField, TextField, withOther } from "./fields";
import { fieldsOf, nameOf, type SourceName, usualText } from "./sources";

type SourceFieldsProps = {
  readonly bind: Bind<SourceName>;
  readonly engine: string;
  readonly engines: readonly EngineInfo[];
};

/** The options of an engine that most schedules write, as the server tells them. */
export const SourceFields = ({ bind, engine, engines }: SourceFieldsProps) => (
  <>
    {fieldsOf(engines, engine)
      .filter((option) => option.is_usual)
      .map((option) => (
        <OptionField bind={bind} key={option.key} option={option} />
      ))}
  </>
);

/** The other options: shown when somebody asks, when one is written, and when something is wrong with one. */
export const OtherSourceFields = ({ bind, engine, engines }: SourceFieldsProps) => {
  const others = fieldsOf(engines, engine).filter((option) => !option.is_usual);
  const isWrong = others.some((option) => bind(nameOf(option)).problem !== undefined);
  const [isAsked, setIsAsked] = useState(() =>
    others.some((option) => bind(nameOf(option)).value !== usualText(option)),
  );
  const isOpen = isAsked || isWrong;

  return (
    <>
      <Elsewhere engine={engine} engines={engines} />
      {others.length === 0 ? undefined : (
        <Box gridColumn="1 / -1">
          <Button aria-expanded={isOpen} onClick={() => setIsAsked(!isOpen)} size="xs" variant="outline">
            {isOpen ? "Fewer options" : "More options"}
          </Button>
          {isOpen ? (
            <SimpleGrid columns={{ base: 1, md: 2 }} gap="4" mt="4">
              {others.map((option) => (
                <OptionField bind={bind} hint={option.description} key={option.key} option={option} />
              ))}
            </SimpleGrid>
          ) : undefined}
        </Box>
      )}
    </>
  );
};

type OptionFieldProps = {
  readonly bind: Bind<SourceName>;
  readonly hint?: string;
  readonly option: EngineOption;
};

/** What nobody has to choose can be chosen again. */
const NOTHING = ["", "Not set"] as const;
const ANSWERS = [
  ["true", "Yes"],
  ["false", "No"],
] as const;

const OptionField = ({ bind, hint, option }: OptionFieldProps) => {
  const { choices, kind, label, required } = option;
  const field = { ...bind(nameOf(option)), hint, label };
  const usual = usualText(option);

  if (kind === "switch" && usual !== "") {
    return <SwitchField {...field} />;
  }
  if (kind === "choice" || kind === "switch") {
    const known = kind === "switch" ? ANSWERS : choices.map(({ label: words, value }) => [value, words] as const);
    const all = required || usual !== "" ? known : [NOTHING, ...known];

    return <Choice {...field} options={withOther(all, field.value)} />;
  }

  // A field of one line would leave out where lines end.
  const isLong = field.value.includes("\n");
  const placeholder = usual === "" ? option.example : usual;

  return (
    <TextField
      {...field}
      isLong={isLong}
      placeholder={placeholder === "" ? undefined : placeholder}
      required={required}
    />
  );
};

/** What of an engine no field of a form holds. */
const Elsewhere = ({ engine, engines }: Omit<SourceFieldsProps, "bind">) => {
  const found = engines.find(({ name }) => name === engine);
  const keys = (found?.options ?? []).filter(({ kind }) => kind === "yaml").map(({ key }) => `\`${key}\``);
  const text =
    found === undefined
      ? `No engine \`${engine}\` is installed on the API server; its options are written on the YAML tab.`
      : found.problem !== null
        ? `Its options cannot be told: ${found.problem}`
        : keys.length === 0
          ? null
          : `On the YAML tab: ${keys.join(", ")}.`;

  return text === null ? undefined : (
    <Text color="fg.muted" fontSize="xs" gridColumn="1 / -1">
      <Words text={text} />
    </Text>
  );
};
