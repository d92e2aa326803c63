import { Badge, Box, Flex, IconButton, Text } from "@chakra-ui/react";
import { useId, useState } from "react";

import type { SetSummary } from "../api/types";
import { formatBytes, formatExact, formatMoment } from "../format";
import { Chevron } from "../shared/icons";
import { CALM } from "../shared/manners";
import { Ago } from "../shared/moments";
import { kindOf, proofOf } from "../words";
import type { ListProps } from "./ChainItem";
import { INDENT } from "./Rails";
import { SetDetails } from "./SetDetails";

type SetItemProps = ListProps & { readonly depth?: number; readonly set: SetSummary };

/** One set: of when it is, what is proven of it, what keeps it; the rest when it is opened. */
export const SetItem = ({ depth = 0, permissions, reasons, schedule, set }: SetItemProps) => {
  const [isOpen, setOpen] = useState(false);
  const body = useId();
  const { timezone: own } = schedule;
  const reason = reasons.get(set.set_id);

  return (
    <Box data-testid="set" pe="3" ps={`${depth === 0 ? 12 : depth * INDENT + 16}px`} py="2">
      <Flex align="center" columnGap="2" rowGap="1" wrap="wrap">
        <Text fontSize="sm" title={formatExact(set.consistent_at, own)}>
          {formatMoment(set.consistent_at, own)}
        </Text>
        <Badges set={set} />
        <Flex align="center" gap="2" ms="auto">
          <Text color="fg.muted" fontSize="xs" whiteSpace="nowrap">
            {formatBytes(set.bytes_stored)}
          </Text>
          <IconButton
            aria-controls={isOpen ? body : undefined}
            aria-expanded={isOpen}
            aria-label={`Details of set ${set.set_id}`}
            onClick={() => setOpen(!isOpen)}
            size="2xs"
            variant="outline"
          >
            <Box transform={isOpen ? "rotate(180deg)" : undefined} {...CALM}>
              <Chevron />
            </Box>
          </IconButton>
        </Flex>
      </Flex>
      {set.unrestorable === null ? undefined : (
        <Text color="fg.error" fontSize="xs">
          Cannot be restored: {set.unrestorable}
        </Text>
      )}
      {reason === undefined ? undefined : (
        <Text color="fg.muted" fontSize="xs">
          {reason}
        </Text>
      )}
      {isOpen ? (
        <Box id={body} mt="2">
          <SetDetails permissions={permissions} schedule={schedule} set={set} />
        </Box>
      ) : undefined}
    </Box>
  );
};

const Badges = ({ set }: { readonly set: SetSummary }) => {
  const { label, palette } = proofOf(set);

  return (
    <>
      <Badge colorPalette="none" size="xs" variant="outline">
        {kindOf(set.kind)}
      </Badge>
      <Badge colorPalette={palette} size="sm" variant="subtle">
        {label}
      </Badge>
      {set.verified_at === null ? undefined : (
        <Text color="fg.muted" fontSize="xs">
          <Ago at={set.verified_at} />
        </Text>
      )}
      {set.warnings === 0 ? undefined : (
        <Badge colorPalette="warning" size="xs" variant="subtle">
          {set.warnings === 1 ? "1 warning" : `${set.warnings} warnings`}
        </Badge>
      )}
      {set.pinned ? (
        <Badge colorPalette="info" size="xs" variant="subtle">
          Pinned
        </Badge>
      ) : undefined}
      {set.locked_until === null ? undefined : (
        <Badge colorPalette="info" size="xs" variant="subtle">
          Locked until {formatMoment(set.locked_until)}
        </Badge>
      )}
    </>
  );
};
