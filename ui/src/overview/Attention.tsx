import { Box, Button, Flex, Stack, Text } from "@chakra-ui/react";
import { type ReactNode, useState } from "react";

import type { Stale } from "../api/live";
import type { Component, ScheduleSummary, Status } from "../api/types";
import { sentence } from "../format";
import { COMPONENTS, protectionOf, type Palette } from "../words";
import { Ago } from "../shared/moments";
import { Panel } from "../shared/Panel";
import { Message, Problem } from "../shared/Problem";
import { RunNowIcon } from "../runs/RunNow";
import { ProtectionBadge } from "../shared/StateBadge";

type AttentionProps = {
  readonly onOpen: (id: string) => void;
  readonly schedules: ScheduleSummary[];
  readonly stale: Stale;
  readonly status: Status;
};

/** More than this hides the schedules below; the rest is one click away. */
const FEW = 5;

/** Everything a person should look at, the processes first: without them nothing else moves. */
export const Attention = ({ onOpen, schedules, stale, status }: AttentionProps) => {
  const [all, setAll] = useState(false);
  const dead = status.components.filter((component) => component.healthy === false);
  const shown = new Set(schedules.map((schedule) => schedule.id));
  const homeless = status.load_problems.filter(({ schedule_id: id }) => id === null || !shown.has(id));

  const places = status.local_places;
  const room = all ? Infinity : Math.max(FEW - dead.length - homeless.length - places.length, 1);
  const hidden = Math.max(schedules.length - room, 0);

  if (dead.length + schedules.length + homeless.length + places.length === 0) {
    return undefined;
  }

  return (
    <Panel stale={stale} title="Needs attention">
      <Stack divideY="1px" gap="0">
        {dead.map((component) => (
          <DeadComponent component={component} key={component.name} />
        ))}
        {places.map(({ hint, message }) => (
          <Item key={message} palette="warning">
            <Text fontWeight="semibold">On one machine only</Text>
            <Message hint={hint} text={message} />
          </Item>
        ))}
        {schedules.slice(0, room).map((schedule) => (
          <Troubled key={schedule.id} onOpen={onOpen} schedule={schedule} />
        ))}
        {homeless.map((problem) => (
          <Item key={`${problem.file}:${String(problem.line)}:${problem.message}`} palette="failed">
            <Text fontWeight="semibold">{problem.schedule_id ?? "A schedules file is wrong"}</Text>
            <Problem problem={problem} />
          </Item>
        ))}
        {hidden > 0 ? (
          <Button onClick={() => setAll(true)} rounded="none" size="sm" variant="ghost">
            Show {hidden} more
          </Button>
        ) : undefined}
      </Stack>
    </Panel>
  );
};

const DeadComponent = ({ component }: { readonly component: Component }) => (
  <Item palette="failed">
    <Text fontWeight="semibold">{COMPONENTS[component.name] ?? component.name} is not running</Text>
    <Text fontSize="sm">
      {component.hint === null ? "" : sentence(component.hint)}{" "}
      {component.heartbeat === null ? undefined : (
        <Text as="span" color="fg.muted">
          Last heartbeat <Ago at={component.heartbeat} />.
        </Text>
      )}
    </Text>
  </Item>
);

type TroubledProps = { readonly onOpen: (id: string) => void; readonly schedule: ScheduleSummary };

const Troubled = ({ onOpen, schedule }: TroubledProps) => (
  <Item
    actions={
      <>
        {schedule.state === "rejected" ? undefined : (
          <RunNowIcon isActive={schedule.active_run !== null} schedule={schedule} />
        )}
        <Button onClick={() => onOpen(schedule.id)} size="xs" variant="outline">
          Details
        </Button>
      </>
    }
    palette={protectionOf(schedule).palette}
  >
    <Flex align="center" gap="2" wrap="wrap">
      <Text fontWeight="semibold">{schedule.id}</Text>
      <ProtectionBadge schedule={schedule} />
      {schedule.last_run?.status === "failed" && schedule.last_run.finished_at !== null ? (
        <Text color="fg.muted" fontSize="xs">
          <Ago at={schedule.last_run.finished_at} />
        </Text>
      ) : undefined}
    </Flex>
    {schedule.problems.length > 0 ? (
      <Stack gap="1.5">
        {schedule.state === "last_known_good" ? (
          <Text fontSize="sm">The version before it keeps running.</Text>
        ) : undefined}
        {schedule.problems.map((problem) => (
          <Problem key={`${String(problem.line)}:${String(problem.path)}:${problem.message}`} problem={problem} />
        ))}
      </Stack>
    ) : (
      <Message hint={schedule.protection.hint} text={schedule.protection.reason} />
    )}
  </Item>
);

type ItemProps = { readonly actions?: ReactNode; readonly children: ReactNode; readonly palette: Palette };

const Item = ({ actions, children, palette }: ItemProps) => (
  <Flex align="flex-start" colorPalette={palette} gap="3" px="4" py="3" wrap={{ base: "wrap", md: "nowrap" }}>
    <Box bg="colorPalette.solid" boxSize="2" flexShrink="0" mt="2" rounded="full" />
    <Box flex="1" minW="0">
      {children}
    </Box>
    {actions === undefined ? undefined : (
      <Flex align="center" flexShrink="0" gap="1" justify="flex-end" width={{ base: "full", md: "auto" }}>
        {actions}
      </Flex>
    )}
  </Flex>
);
