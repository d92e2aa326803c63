import { Checkbox, Field, Input, NativeSelect, Text, Textarea } from "@chakra-ui/react";

import type { FieldProblem } from "../api/types";
import { Words } from "../shared/Problem";
import { sentence } from "../format";

type FieldProps = {
  readonly hint?: string | undefined;
  /** Whether it may have several lines: a field of one line would leave out where they end. */
  readonly isLong?: boolean;
  readonly label: string;
  readonly name: string;
  readonly onChange: (value: string) => void;
  readonly placeholder?: string | undefined;
  readonly problem?: FieldProblem | undefined;
  readonly readOnly?: boolean;
  readonly required?: boolean;
  readonly value: string;
};

const Wrong = ({ problem }: { readonly problem: FieldProblem }) => (
  <Field.ErrorText display="inline" fontSize="xs">
    <Words text={sentence(problem.message)} />
    {problem.hint === null ? "" : " – "}
    {problem.hint === null ? undefined : <Words text={problem.hint} />}
  </Field.ErrorText>
);

/** What is wrong with a field; else what helps to fill it in. */
const Below = ({ hint, problem }: Pick<FieldProps, "hint" | "problem">) =>
  problem !== undefined ? (
    <Wrong problem={problem} />
  ) : hint === undefined ? undefined : (
    <Field.HelperText fontSize="xs">
      <Words text={hint} />
    </Field.HelperText>
  );

export const TextField = ({
  hint,
  isLong = false,
  label,
  name,
  onChange,
  placeholder,
  problem,
  readOnly = false,
  required = false,
  value,
}: FieldProps) => (
  <Field.Root invalid={problem !== undefined} readOnly={readOnly} required={required}>
    <Field.Label fontSize="sm">
      {label}
      <Field.RequiredIndicator />
    </Field.Label>
    {isLong ? (
      <Textarea
        autoresize
        name={name}
        onChange={(event) => onChange(event.target.value)}
        placeholder={placeholder}
        rows={1}
        size="sm"
        value={value}
      />
    ) : (
      <Input
        autoComplete="off"
        name={name}
        onChange={(event) => onChange(event.target.value)}
        placeholder={placeholder}
        size="sm"
        spellCheck={false}
        value={value}
        {...(readOnly ? { bg: "bg.subtle", color: "fg.muted" } : {})}
      />
    )}
    <Below hint={hint} problem={problem} />
  </Field.Root>
);

/** What a field of a form needs besides its label. */
export type Bind<Name extends string> = (
  name: Name,
) => Pick<FieldProps, "name" | "onChange" | "problem" | "value">;

type ChoiceProps = {
  readonly hint?: string | undefined;
  readonly label: string;
  readonly name: string;
  readonly onChange: (value: string) => void;
  readonly options: readonly (readonly [string, string])[];
  readonly problem?: FieldProblem | undefined;
  readonly value: string;
};

export const Choice = ({ hint, label, name, onChange, options, problem, value }: ChoiceProps) => (
  <Field.Root invalid={problem !== undefined}>
    <Field.Label fontSize="sm">{label}</Field.Label>
    <NativeSelect.Root size="sm">
      <NativeSelect.Field name={name} onChange={(event) => onChange(event.target.value)} value={value}>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </NativeSelect.Field>
      <NativeSelect.Indicator />
    </NativeSelect.Root>
    <Below hint={hint} problem={problem} />
  </Field.Root>
);

type SwitchFieldProps = Pick<FieldProps, "hint" | "label" | "name" | "onChange" | "problem" | "value">;

/** A field of two answers; as text they are `true` and `false`. */
export const SwitchField = ({ hint, label, name, onChange, problem, value }: SwitchFieldProps) => (
  <Field.Root invalid={problem !== undefined}>
    <Checkbox.Root
      checked={value === "true"}
      name={name}
      onCheckedChange={({ checked }) => onChange(checked === true ? "true" : "false")}
      size="sm"
    >
      <Checkbox.HiddenInput />
      <Checkbox.Control />
      <Checkbox.Label fontSize="sm">{label}</Checkbox.Label>
    </Checkbox.Root>
    <Below hint={hint} problem={problem} />
  </Field.Root>
);

/** The value that is set is always among the choices: else another one would seem to be. */
export const withOther = (
  options: readonly (readonly [string, string])[],
  value: string,
): readonly (readonly [string, string])[] =>
  options.some(([key]) => key === value) ? options : [...options, [value, value]];

export const GroupTitle = ({ text }: { readonly text: string }) => (
  <Text as="legend" fontSize="sm" fontWeight="semibold" mb="3">
    {text}
  </Text>
);
