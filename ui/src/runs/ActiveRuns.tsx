import { Box, Flex, Link, Stack, Text } from "@chakra-ui/react";

import type { Stale } from "../api/live";
import type { Run, ScheduleSummary } from "../api/types";
import { CancelRun } from "./CancelRun";
import { ControlAll, ControlRun } from "./ControlRun";
import { Panel } from "../shared/Panel";
import { RunProgress } from "./RunProgress";
import { StatusBadge } from "../shared/StateBadge";

type ActiveRunsProps = {
  readonly onOpen: (id: string) => void;
  readonly runs: Run[];
  readonly stale: Stale;
  readonly schedules: ReadonlyMap<string, ScheduleSummary>;
};

export const ActiveRuns = ({ onOpen, runs, schedules, stale }: ActiveRunsProps) => {
  const mayCancel = (id: string): boolean => schedules.get(id)?.permissions.cancel === true;

  return runs.length === 0 ? undefined : (
    <Panel
      action={<ControlAll runs={runs.filter(({ schedule_id: id }) => mayCancel(id))} />}
      stale={stale}
      title="Running now"
    >
      <Stack divideY="1px" gap="0">
        {runs.map((run) => (
          <Flex align="center" gap="4" key={run.run_id} px="4" py="3" wrap={{ base: "wrap", md: "nowrap" }}>
            <Box minW="48">
              <Link as="button" fontWeight="medium" onClick={() => onOpen(run.schedule_id)}>
                {run.schedule_id}
              </Link>
              <Flex align="center" gap="2" mt="0.5">
                <StatusBadge status={run.status} />
                <Text color="fg.muted" fontSize="xs">
                  {run.kind?.replace("_", " ") ?? ""}
                  {run.attempts > 1 ? ` · attempt ${run.attempts}` : ""}
                </Text>
              </Flex>
            </Box>
            <RunProgress expected={schedules.get(run.schedule_id)?.last_good?.bytes_read ?? null} run={run} />
            {mayCancel(run.schedule_id) ? (
              <Flex gap="2">
                <ControlRun run={run} />
                <CancelRun run={run} />
              </Flex>
            ) : undefined}
          </Flex>
        ))}
      </Stack>
    </Panel>
  );
};
