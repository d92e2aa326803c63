import { Alert, Box, Flex, Heading, Link, Skeleton, Stack, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { hostUrl } from "../api/client";
import { useActiveRuns, useSchedule } from "../api/queries";
import type { ScheduleDetail } from "../api/types";
import { sentence } from "../format";
import { needsAttention } from "../words";
import { CancelRun } from "./CancelRun";
import { ComingRuns, Definition } from "./Definition";
import { EnableSwitch } from "./EnableSwitch";
import { Failure } from "./Failure";
import { Problem } from "./Problem";
import { RunHistory } from "./RunHistory";
import { RunNowButton } from "./RunNow";
import { ConditionBadge } from "./StateBadge";

/** One schedule: what is wrong, its switches, its history, what comes, what was written. */
export const ScheduleView = ({ id }: { readonly id: string }) => {
  const { data, error, isPending, refetch } = useSchedule(id);
  const active = useActiveRuns().data?.runs.find((run) => run.schedule_id === id) ?? null;

  if (isPending) {
    return (
      <Stack aria-busy="true" gap="4">
        <Skeleton height="8" width="xs" />
        <Skeleton height="24" />
        <Skeleton height="40" />
      </Stack>
    );
  }
  if (data === undefined) {
    return <Failure error={error} onRetry={() => void refetch()} what={`Schedule ${id}`} />;
  }

  return (
    <Stack gap="6">
      <Flex align="center" gap="3" wrap="wrap">
        <EnableSwitch schedule={data} />
        <ConditionBadge condition={data.condition} />
        <Link color="fg.muted" fontSize="xs" href={hostUrl(`dags/${encodeURIComponent(data.dag_id)}`)}>
          {data.dag_id}
        </Link>
        <Flex align="center" gap="2" ms="auto">
          {active !== null && data.permissions.cancel ? <CancelRun run={active} /> : undefined}
          <RunNowButton isActive={active !== null} schedule={data} />
        </Flex>
      </Flex>
      <Trouble schedule={data} />
      <Part title="History">
        <RunHistory activeRun={active} id={id} timeZone={data.timezone} />
      </Part>
      {data.state === "rejected" ? undefined : (
        <Part title="Coming runs">
          <ComingRuns id={id} />
        </Part>
      )}
      <Part title="Definition">
        <Definition schedule={data} />
      </Part>
    </Stack>
  );
};

const Trouble = ({ schedule }: { readonly schedule: ScheduleDetail }) => {
  if (!needsAttention(schedule)) {
    return undefined;
  }
  const { condition, condition_hint: hint, condition_reason: reason, problems } = schedule;

  return (
    <Alert.Root status={condition === "rejected" || condition === "failed" ? "error" : "warning"} variant="subtle">
      <Alert.Indicator />
      <Alert.Content minW="0">
        <Alert.Title>{TITLES[condition]}</Alert.Title>
        <Alert.Description>
          {problems.length > 0 ? (
            <Stack gap="2">
              {problems.map((problem) => (
                <Problem key={`${String(problem.line)}:${String(problem.path)}:${problem.message}`} problem={problem} />
              ))}
            </Stack>
          ) : (
            <Text overflowWrap="anywhere">{sentence([reason, hint].filter(Boolean).join(" – "))}</Text>
          )}
        </Alert.Description>
      </Alert.Content>
    </Alert.Root>
  );
};

const TITLES: Partial<Record<ScheduleDetail["condition"], string>> = {
  failed: "The last backup failed",
  outdated: "What is in the file is wrong; the version before it keeps running",
  rejected: "This schedule is wrong, and nothing runs",
  stale: "The last good backup is too old",
};

const Part = ({ children, title }: { readonly children: ReactNode; readonly title: string }) => (
  <Box as="section" aria-label={title}>
    <Heading as="h3" mb="2" size="sm">
      {title}
    </Heading>
    {children}
  </Box>
);
