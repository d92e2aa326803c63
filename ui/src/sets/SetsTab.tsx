import { Badge, Box, Button, Flex, Skeleton, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useVerifySet } from "../api/changes";
import { useRetention, useSets } from "../api/queries";
import type { RetentionView, ScheduleSummary, SetSummary } from "../api/types";
import { formatBytes, formatCount, formatExact, formatMoment } from "../format";
import { proofOf } from "../words";
import { Failure } from "../shared/Failure";
import { Ago } from "../shared/moments";
import { RestorePicker } from "./RestorePicker";
import { tell, tellError } from "../shared/toaster";

const PAGE = 20;
const MOST = 500;

type SetsTabProps = { readonly schedule: ScheduleSummary };

/** What is stored, what is proven of it, what keeps it; and a way back to any moment. */
export const SetsTab = ({ schedule }: SetsTabProps) => {
  const [limit, setLimit] = useState(PAGE);
  const { data, error, isPending, refetch } = useSets(schedule.id, limit);
  const retention = useRetention(schedule.id).data;

  if (isPending) {
    return (
      <Stack aria-busy="true" gap="2">
        <Skeleton height="12" />
        <Skeleton height="12" />
      </Stack>
    );
  }
  if (data === undefined) {
    return <Failure error={error} onRetry={() => void refetch()} what="The list of sets" />;
  }
  if (data.sets.length === 0) {
    return (
      <Text color="fg.muted" fontSize="sm">
        Nothing is stored yet. The first completed run makes the first set.
      </Text>
    );
  }

  return (
    <Stack gap="5">
      <RestorePicker schedule={schedule} />
      <Text color="fg.muted" fontSize="sm">
        {formatCount(data.total, "set")}, {formatBytes(data.bytes_stored)} stored. {afterwards(retention)}
      </Text>
      <Stack
        aria-label={`Sets of ${schedule.id}`}
        as="ol"
        borderWidth="1px"
        divideY="1px"
        gap="0"
        overflow="hidden"
        rounded="lg"
      >
        {data.sets.map((set) => (
          <SetItem key={set.set_id} reasons={reasonsOf(retention, set.set_id)} schedule={schedule} set={set} />
        ))}
      </Stack>
      {data.total > limit && limit < MOST ? (
        <Button alignSelf="center" onClick={() => setLimit(Math.min(MOST, limit * 3))} size="xs" variant="ghost">
          Show older sets
        </Button>
      ) : undefined}
    </Stack>
  );
};

const afterwards = (retention: RetentionView | undefined): string => {
  if (retention === undefined || retention.policy === null) {
    return "No rule removes any of them.";
  }
  if (retention.refused !== null) {
    return `Nothing is removed now: ${retention.refused}.`;
  }

  return retention.removed === 0
    ? "The rules keep all of them."
    : `The next prune removes ${formatCount(retention.removed, "set")}, ${formatBytes(retention.bytes_removed)}.`;
};

const reasonsOf = (retention: RetentionView | undefined, id: string): string | null => {
  const verdict = retention?.sets.find((each) => each.set_id === id);

  if (verdict === undefined) {
    return null;
  }

  return `${verdict.kept ? "Kept" : "Goes with the next prune"}: ${verdict.reasons.join(", ")}`;
};

type SetItemProps = { readonly reasons: string | null; readonly schedule: ScheduleSummary; readonly set: SetSummary };

const SetItem = ({ reasons, schedule, set }: SetItemProps) => {
  const { label, palette } = proofOf(set);
  const { isPending, mutate } = useVerifySet();

  return (
    <Box as="li" data-testid="set" px="3" py="2.5">
      <Flex align="center" gap="2" wrap="wrap">
        <Text fontSize="sm" title={formatExact(set.consistent_at, schedule.timezone)}>
          {formatMoment(set.consistent_at, schedule.timezone)}
        </Text>
        <Badge colorPalette="none" size="xs" variant="outline">
          {set.kind.replace("_", " ")}
        </Badge>
        <Badge colorPalette={palette} size="sm" variant="subtle">
          {label}
        </Badge>
        {set.verified_at === null ? undefined : (
          <Text color="fg.muted" fontSize="xs">
            <Ago at={set.verified_at} />
          </Text>
        )}
        {set.pinned ? (
          <Badge colorPalette="info" size="xs" variant="subtle">
            pinned
          </Badge>
        ) : undefined}
        <Text color="fg.muted" fontSize="xs" ms="auto">
          {formatBytes(set.bytes_stored)}
        </Text>
        {schedule.permissions.run ? (
          <Button
            aria-label={`Verify set ${set.set_id}`}
            loading={isPending}
            onClick={() =>
              mutate(
                { level: "full", setId: set.set_id },
                {
                  onError: (error) => tellError("The verification did not start", error),
                  onSuccess: () => tell("The verification runs", "What it finds shows up here."),
                },
              )
            }
            size="2xs"
            variant="outline"
          >
            Verify
          </Button>
        ) : undefined}
      </Flex>
      <Text color="fg.muted" fontFamily="mono" fontSize="xs">
        {set.set_id}
      </Text>
      {reasons === null ? undefined : (
        <Text color="fg.muted" fontSize="xs">
          {reasons}
        </Text>
      )}
    </Box>
  );
};
