import { Field, Input } from "@chakra-ui/react";

type TypedIdProps = {
  readonly id: string;
  readonly maxW?: string;
  readonly onChange: (typed: string) => void;
  readonly value: string;
};

/** A schedule's id, typed, so that no click alone does what cannot be taken back. */
export const TypedId = ({ id, maxW, onChange, value }: TypedIdProps) => (
  <Field.Root maxW={maxW}>
    <Field.Label fontSize="sm">
      <span>
        Type <b>{id}</b> to confirm
      </span>
    </Field.Label>
    <Input
      autoComplete="off"
      onChange={(event) => onChange(event.target.value)}
      size="sm"
      spellCheck={false}
      value={value}
    />
  </Field.Root>
);
