import { Box, EmptyState } from "@chakra-ui/react";

import { useLiveRefresh } from "../api/live";
import { useActiveRuns } from "../api/queries";
import { ShieldIdle } from "../shared/icons";
import { ScheduleView } from "../schedules/ScheduleView";
import { CLEAR } from "../shared/manners";
import { Toasts } from "../shared/toaster";
import { usePageZone } from "../zone";

const PREFIX = "backup__";

/** The tab on a DAG's page. Airflow shows it on every DAG, so it must have something to say on others. */
export const DagTab = ({ dagId }: { readonly dagId?: string }) => {
  const { data } = useActiveRuns();

  usePageZone(); // with another one every time here reads otherwise
  useLiveRefresh(null);
  if (dagId?.startsWith(PREFIX) !== true) {
    return (
      <EmptyState.Root data-backup="tab">
        <EmptyState.Content>
          <EmptyState.Indicator>
            <ShieldIdle />
          </EmptyState.Indicator>
          <EmptyState.Title>This DAG is not a backup schedule</EmptyState.Title>
          <EmptyState.Description>
            The tab shows the backups of DAGs whose name begins with {PREFIX}.
          </EmptyState.Description>
        </EmptyState.Content>
      </EmptyState.Root>
    );
  }

  return (
    <Box {...CLEAR} data-active={data?.runs.length ?? 0} data-backup="tab" maxW="4xl" p="4">
      <ScheduleView id={dagId.slice(PREFIX.length)} />
      <Toasts />
    </Box>
  );
};
