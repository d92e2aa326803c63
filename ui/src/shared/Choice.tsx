import { NativeSelect } from "@chakra-ui/react";

type ChoiceProps = {
  /** What it says where nothing is narrowed. */
  readonly all: string;
  readonly label: string;
  readonly onChange: (value: string) => void;
  readonly size?: "sm" | "xs";
  readonly value: string;
  /** What can be chosen: what it means, and how it reads. */
  readonly words: readonly (readonly [string, string])[];
};

/** Narrows a list to one of a few things. What an address names and is not there any more stays in sight. */
export const Choice = ({ all, label, onChange, size = "sm", value, words }: ChoiceProps) => (
  <NativeSelect.Root flex={{ base: "1 1 40%", sm: "0 1 auto" }} maxW={{ sm: "48" }} size={size} width="auto">
    <NativeSelect.Field aria-label={label} onChange={(event) => onChange(event.target.value)} value={value}>
      <option value="">{all}</option>
      {value === "" || words.some(([each]) => each === value) ? undefined : <option value={value}>{value}</option>}
      {words.map(([each, text]) => (
        <option key={each} value={each}>
          {text}
        </option>
      ))}
    </NativeSelect.Field>
    <NativeSelect.Indicator />
  </NativeSelect.Root>
);

/** Names that are their own words. */
export const named = (names: readonly string[]): (readonly [string, string])[] => names.map((name) => [name, name]);
