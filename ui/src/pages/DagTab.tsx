import { Box, EmptyState } from "@chakra-ui/react";

import { useActiveRuns, useLiveRefresh } from "../api/queries";
import { ShieldIdle } from "../components/icons";
import { ScheduleView } from "../components/ScheduleView";
import { Toasts } from "../components/toaster";

const PREFIX = "backup__";

/** The tab on a DAG's page. Airflow shows it on every DAG, so it must have something to say on others. */
export const DagTab = ({ dagId }: { readonly dagId?: string }) => {
  const { data } = useActiveRuns();

  useLiveRefresh(null);
  if (dagId?.startsWith(PREFIX) !== true) {
    return (
      <EmptyState.Root>
        <EmptyState.Content>
          <EmptyState.Indicator>
            <ShieldIdle />
          </EmptyState.Indicator>
          <EmptyState.Title>This DAG is not a backup schedule</EmptyState.Title>
          <EmptyState.Description>The tab shows the backups of DAGs whose name begins with {PREFIX}.</EmptyState.Description>
        </EmptyState.Content>
      </EmptyState.Root>
    );
  }

  return (
    <Box data-active={data?.runs.length ?? 0} maxW="4xl" p="4">
      <ScheduleView id={dagId.slice(PREFIX.length)} />
      <Toasts />
    </Box>
  );
};
