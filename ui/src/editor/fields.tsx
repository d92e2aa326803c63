import { Field, Input, NativeSelect, Text } from "@chakra-ui/react";

import type { FieldProblem } from "../api/types";
import { Words } from "../components/Problem";
import { sentence } from "../format";

type FieldProps = {
  readonly hint?: string;
  readonly label: string;
  readonly name: string;
  readonly onChange: (value: string) => void;
  readonly placeholder?: string;
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

export const TextField = ({ hint, label, name, onChange, placeholder, problem, readOnly = false, required = false, value }: FieldProps) => (
  <Field.Root invalid={problem !== undefined} readOnly={readOnly} required={required}>
    <Field.Label fontSize="sm">
      {label}
      <Field.RequiredIndicator />
    </Field.Label>
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
    {problem === undefined ? (
      hint === undefined ? undefined : <Field.HelperText fontSize="xs">{hint}</Field.HelperText>
    ) : (
      <Wrong problem={problem} />
    )}
  </Field.Root>
);

type ChoiceProps = {
  readonly label: string;
  readonly name: string;
  readonly onChange: (value: string) => void;
  readonly options: readonly (readonly [string, string])[];
  readonly problem?: FieldProblem | undefined;
  readonly value: string;
};

export const Choice = ({ label, name, onChange, options, problem, value }: ChoiceProps) => (
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
    {problem === undefined ? undefined : <Wrong problem={problem} />}
  </Field.Root>
);

export const GroupTitle = ({ text }: { readonly text: string }) => (
  <Text as="legend" fontSize="sm" fontWeight="semibold" mb="3">
    {text}
  </Text>
);
