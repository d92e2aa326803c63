import { Box, Text } from "@chakra-ui/react";

import { useNow } from "../clock";
import { formatAge, formatCountdown, formatExact, formatMoment } from "../format";

type MomentProps = { readonly at: string };

export const Countdown = ({ at }: MomentProps) => {
  const now = useNow();

  return <span>{formatCountdown(Date.parse(at) - now)}</span>;
};

export const Ago = ({ at }: MomentProps) => {
  const now = useNow();

  return (
    <time dateTime={at} title={formatExact(at)}>
      {formatAge((now - Date.parse(at)) / 1000)}
    </time>
  );
};

type InZoneProps = MomentProps & { readonly timeZone: string };

/** A coming moment: on the clock of its zone, and how long until then. */
export const InZone = ({ at, timeZone }: InZoneProps) => (
  <Box>
    <Text whiteSpace="nowrap">
      <time dateTime={at} title={formatExact(at, timeZone)}>
        {formatMoment(at, timeZone)}
      </time>
    </Text>
    <Text color="fg.muted" fontSize="xs" fontVariantNumeric="tabular-nums" whiteSpace="nowrap">
      <Countdown at={at} /> · {timeZone}
    </Text>
  </Box>
);
