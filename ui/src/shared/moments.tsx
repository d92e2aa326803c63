import { Box, Text } from "@chakra-ui/react";

import { useNow } from "../clock";
import { formatAge, formatCountdown, formatExact, formatIn } from "../format";
import { usePageZone } from "../zone";

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

/**
 * A coming moment: on the clock of the page, how long until then, and on the clock of its schedule where that
 * differs.
 */
export const InZone = ({ at, timeZone }: InZoneProps) => {
  const [here, there] = [formatIn(at, usePageZone()), formatIn(at, timeZone)];

  return (
    <Box>
      <Text whiteSpace="nowrap">
        <time dateTime={at} title={formatExact(at, timeZone)}>
          {here}
        </time>
      </Text>
      <Text color="fg.muted" fontSize="xs" fontVariantNumeric="tabular-nums" whiteSpace="nowrap">
        <Countdown at={at} />
        {here === there ? "" : ` · ${there} ${timeZone}`}
      </Text>
    </Box>
  );
};
