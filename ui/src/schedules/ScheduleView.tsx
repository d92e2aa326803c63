import { Flex, Link, Skeleton, Stack, Tabs, Text } from "@chakra-ui/react";

import { hostUrl } from "../api/client";
import { useActiveRuns, useSchedule } from "../api/queries";
import type { ProtectionState, ScheduleDetail } from "../api/types";
import { needsAttention, protectionOf } from "../words";
import { CancelRun } from "../runs/CancelRun";
import { ControlRun } from "../runs/ControlRun";
import { ComingRuns, Definition } from "./Definition";
import { EnableSwitch } from "./EnableSwitch";
import { Failure } from "../shared/Failure";
import { Marks } from "../shared/Marks";
import { Notice } from "../shared/Notice";
import { Message, Problem } from "../shared/Problem";
import { RunHistory } from "../runs/RunHistory";
import { RunNowButton } from "../runs/RunNow";
import { SetsTab } from "../sets/SetsTab";
import { ProtectionBadge } from "../shared/StateBadge";
import { Versions } from "./Versions";

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
        <ProtectionBadge schedule={data} />
        <Marks schedule={data} />
        {data.enabled === null ? undefined : (
          <Link color="fg.muted" fontSize="xs" href={hostUrl(`dags/${encodeURIComponent(data.dag_id)}`)}>
            {data.dag_id}
          </Link>
        )}
        <Flex align="center" gap="2" ms="auto">
          {active !== null && data.permissions.cancel ? (
            <>
              <ControlRun run={active} />
              <CancelRun run={active} />
            </>
          ) : undefined}
          <RunNowButton isActive={active !== null} schedule={data} />
        </Flex>
      </Flex>
      <Trouble schedule={data} />
      <Tabs.Root defaultValue="history" lazyMount size="sm" variant="line">
        <Tabs.List css={{ "& > *": { flexShrink: 0 } }} overflowX={{ base: "auto", md: "visible" }} whiteSpace="nowrap">
          <Tabs.Trigger value="history">History</Tabs.Trigger>
          {data.state === "rejected" ? undefined : (
            <>
              <Tabs.Trigger value="sets">Sets and restore</Tabs.Trigger>
              <Tabs.Trigger value="coming">Coming runs</Tabs.Trigger>
              <Tabs.Trigger value="definition">Definition</Tabs.Trigger>
            </>
          )}
          {data.made === null ? undefined : <Tabs.Trigger value="versions">Versions</Tabs.Trigger>}
        </Tabs.List>
        <Tabs.Content value="history">
          <RunHistory activeRun={active} schedule={data} />
        </Tabs.Content>
        <Tabs.Content value="sets">
          <SetsTab schedule={data} />
        </Tabs.Content>
        <Tabs.Content value="coming">
          <ComingRuns schedule={data} />
        </Tabs.Content>
        <Tabs.Content value="definition">
          <Definition schedule={data} />
        </Tabs.Content>
        <Tabs.Content value="versions">
          <Versions schedule={data} />
        </Tabs.Content>
      </Tabs.Root>
    </Stack>
  );
};

const Trouble = ({ schedule }: { readonly schedule: ScheduleDetail }) => {
  if (!needsAttention(schedule)) {
    return undefined;
  }
  const { problems, protection } = schedule;

  return (
    <Notice palette={protectionOf(schedule).palette}>
      <Text fontSize="sm" fontWeight="semibold">
        {titleOf(schedule)}
      </Text>
      {problems.length > 0 ? (
        <Stack gap="2">
          {problems.map((problem) => (
            <Problem key={`${String(problem.line)}:${String(problem.path)}:${problem.message}`} problem={problem} />
          ))}
        </Stack>
      ) : (
        <Message hint={protection.hint} text={protection.reason} />
      )}
    </Notice>
  );
};

const TITLES: Record<ProtectionState, string> = {
  at_risk: "What is stored is not proven as promised",
  broken: "It is disabled, and its newest set becomes too old",
  good: "The newest set is good, and runs fail since",
  late: "The newest good set is too old",
  lost: "Sets that were stored are not there any more",
  never: "Nothing was stored yet",
};

const titleOf = ({ protection, state }: ScheduleDetail): string => {
  if (state === "rejected") {
    return "This schedule is wrong, and nothing runs";
  }
  if (state === "last_known_good" && protection.state === "at_risk") {
    return "What is in the file is wrong; the version before it keeps running";
  }
  if (protection.failures_in_row > 0 && ["good", "never"].includes(protection.state)) {
    return protection.failures_in_row === 1
      ? "The last backup failed"
      : `The last ${String(protection.failures_in_row)} backups failed`;
  }

  return TITLES[protection.state];
};
