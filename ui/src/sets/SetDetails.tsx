import { Box, Flex, Skeleton, Stack, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { hostUrl } from "../api/client";
import { useSet } from "../api/sets";
import type { ScheduleSummary, SetDetail, SetPermissions, SetSummary } from "../api/types";
import { formatBytes, formatCount } from "../format";
import { Command, CopyButton } from "../shared/CopyButton";
import { Failure } from "../shared/Failure";
import { Few } from "../shared/Few";
import { ExternalLink } from "../shared/ExternalLink";
import { SetActions } from "./SetActions";
import { Verifications } from "./Verifications";

type SetDetailsProps = {
  readonly permissions: SetPermissions;
  readonly schedule: ScheduleSummary;
  readonly set: SetSummary;
};

/** All that is known of a set, and what may be done with it. */
export const SetDetails = ({ permissions, schedule, set }: SetDetailsProps) => {
  const { data, error, isPending, refetch } = useSet(set.set_id);

  if (isPending) {
    return <Skeleton aria-busy="true" height="16" />;
  }
  if (data === undefined) {
    return <Failure error={error} onRetry={() => void refetch()} what="The set" />;
  }

  return (
    <Stack borderTopWidth="1px" gap="4" py="3">
      <Figures schedule={schedule} set={data} />
      {data.notes.length === 0 ? undefined : (
        <Part title="Warnings of its backup">
          <Few label="Warnings">
            {data.notes.map((note, index) => (
              <Text as="li" fontSize="xs" key={`${index}-${note}`} overflowWrap="anywhere">
                {note}
              </Text>
            ))}
          </Few>
        </Part>
      )}
      <Part title="Verifications">
        <Verifications of={data.verifications} />
      </Part>
      {data.unrestorable === null ? (
        <Part title="Restore it on a shell">
          <Command text={`airflow-backup restore ${schedule.id} --set ${set.set_id} --to TARGET`} />
        </Part>
      ) : undefined}
      <SetActions permissions={permissions} schedule={schedule} set={set} />
    </Stack>
  );
};

const Part = ({ children, title }: { readonly children: ReactNode; readonly title: string }) => (
  <Box>
    <Text fontSize="xs" fontWeight="semibold" mb="1">
      {title}
    </Text>
    {children}
  </Box>
);

const Figures = ({ schedule, set }: { readonly schedule: ScheduleSummary; readonly set: SetDetail }) => {
  const size = set.pieces.reduce((sum, piece) => sum + piece.size, 0);

  return (
    <Stack color="fg.muted" fontSize="xs" gap="0.5">
      <Flex align="center" gap="1">
        <Text fontFamily="mono" overflowWrap="anywhere">
          {set.set_id}
        </Text>
        <CopyButton label="the id of the set" text={set.set_id} />
      </Flex>
      <Text>
        {formatCount(set.pieces.length, "piece")}, {formatBytes(size)}; read {formatBytes(set.bytes_read)} of{" "}
        {formatCount(set.files, "file")}
        {set.host === null ? "" : ` on ${set.host}`}.
      </Text>
      {set.chain.length > 1 && set.unrestorable === null ? (
        <Text>
          A restore of it reads {formatCount(set.chain.length, "set")},{" "}
          {formatBytes(set.chain.reduce((sum, each) => sum + each.bytes_stored, 0))}.
        </Text>
      ) : undefined}
      <ExternalLink
        href={hostUrl(`dags/${encodeURIComponent(schedule.dag_id)}/runs/${encodeURIComponent(set.run_id)}`)}
      >
        The run that stored it
      </ExternalLink>
    </Stack>
  );
};
