import { Button, Field, Flex, Input } from "@chakra-ui/react";
import { type ReactNode, useState } from "react";

import { formatPrecise, momentIn, momentsIn, zonedInput } from "../format";
import { usePageZone } from "../zone";

type MomentFieldProps = {
  /** What is said below the field, where nothing is odd about the time. */
  readonly children: ReactNode;
  readonly hasSeconds?: boolean;
  readonly label: string;
  readonly onChange: (moment: number) => void;
  /** In milliseconds; NaN where there is none. */
  readonly value: number;
};

/**
 * A moment on the clock of the page. A time that the clock shows twice is asked about, and one that it leaves out is
 * said to be none.
 */
export const MomentField = ({ children, hasSeconds = false, label, onChange, value }: MomentFieldProps) => {
  const zone = usePageZone();
  // What was typed where no moment reads so: it stays in the field, else nobody could type on.
  const [typed, setTyped] = useState<{ moment: number; text: string; zone: string } | null>(null);
  const leftOut = typed?.moment === value && typed.zone === zone ? typed.text : null;
  const text = Number.isNaN(value) ? "" : zonedInput(value, zone);
  const times = leftOut === null ? momentsIn(text, zone) : [];

  const type = (given: string): void => {
    const moment = momentIn(given, zone);

    setTyped(Number.isNaN(moment) || momentsIn(given, zone).length > 0 ? null : { moment, text: given, zone });
    onChange(moment);
  };

  return (
    <Field.Root maxW="xs">
      <Field.Label fontSize="sm">{label}</Field.Label>
      <Input
        onChange={(event) => type(event.target.value)}
        size="sm"
        step={hasSeconds ? 1 : 60}
        type="datetime-local"
        value={leftOut ?? text.slice(0, hasSeconds ? 19 : 16)}
      />
      <Field.HelperText fontSize="xs">{children}</Field.HelperText>
      {leftOut === null ? undefined : (
        <Field.HelperText color="fg.error" fontSize="xs" role="status">
          The clock of {zone} leaves this time out, because it is set forward then; meant is{" "}
          {formatPrecise(new Date(value).toISOString())}.
        </Field.HelperText>
      )}
      {times.length < 2 ? undefined : (
        <Flex aria-label="The clock says this time twice" gap="1" mt="1" role="group">
          {times.map((one, index) => (
            <Button
              aria-pressed={one === value}
              key={one}
              onClick={() => onChange(one)}
              size="2xs"
              type="button"
              variant={one === value ? "solid" : "outline"}
            >
              {index === 0 ? "The first time" : "The second time"}
            </Button>
          ))}
        </Flex>
      )}
    </Field.Root>
  );
};
