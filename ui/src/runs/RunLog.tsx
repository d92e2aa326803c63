import { Box, Flex, Link, NativeSelect, Skeleton, Text } from "@chakra-ui/react";
import { useEffect, useRef, useState } from "react";

import { ApiError, hostUrl } from "../api/client";
import type { TaskInstance } from "../api/host";
import { useLogTail, useTasks } from "../api/queries";
import type { Run } from "../api/types";
import { sentence } from "../format";
import { External } from "../shared/icons";

/** What somebody reads in place; the rest is in Airflow. */
export const MOST_LINES = 50;

type Chosen = { readonly attempt: number; readonly task: string };
type RunLogProps = { readonly isLive: boolean; readonly run: Run };

const AT_FAULT = ["failed", "up_for_retry", "running", "restarting", "deferred"];

/** The attempts whose logs can be read, in the order in which they began. */
export const attemptsOf = (tasks: readonly TaskInstance[]): Chosen[] =>
  [...tasks]
    .sort((one, other) => Date.parse(one.start_date ?? "") - Date.parse(other.start_date ?? "") || 0)
    .flatMap(({ task_id: task, try_number: tries }) =>
      Array.from({ length: tries }, (_, index) => ({ attempt: index + 1, task })),
    );

/** The attempt that says most: of the task that failed or works, else of the backup, the last one. */
export const tellingOf = (tasks: readonly TaskInstance[]): Chosen | null => {
  const found =
    AT_FAULT.map((state) => tasks.find((task) => task.state === state)).find((task) => task !== undefined) ??
    tasks.find((task) => task.task_id === "backup") ??
    tasks.at(-1);

  return found === undefined ? null : { attempt: found.try_number, task: found.task_id };
};

const keyOf = ({ attempt, task }: Chosen): string => `${task} ${attempt}`;

/** The end of a run's log, read through Airflow with the rights of whoever looks. */
export const RunLog = ({ isLive, run }: RunLogProps) => {
  const tasks = useTasks(run, isLive);
  const [picked, setPicked] = useState<string | null>(null);
  const all = attemptsOf(tasks.data ?? []);
  const chosen = all.find((each) => keyOf(each) === picked) ?? tellingOf(tasks.data ?? []);

  if (tasks.isPending) {
    return <Skeleton height="16" mt="2" />;
  }
  if (tasks.data === undefined) {
    return <NoLog text={whyNot(tasks.error)} />;
  }
  if (chosen === null) {
    return <NoLog text="no task of this run has begun, so there is no log" />;
  }

  return (
    <Box mt="2">
      <Flex align="center" gap="2" wrap="wrap">
        <NativeSelect.Root size="xs" width="auto">
          <NativeSelect.Field
            aria-label="Whose log"
            onChange={(event) => setPicked(event.target.value)}
            value={keyOf(chosen)}
          >
            {all.map((each) => (
              <option key={keyOf(each)} value={keyOf(each)}>
                {each.task}, attempt {each.attempt}
              </option>
            ))}
          </NativeSelect.Field>
          <NativeSelect.Indicator />
        </NativeSelect.Root>
        <Link color="fg.info" fontSize="xs" href={logUrl(run, chosen)}>
          All of it in Airflow <External />
        </Link>
      </Flex>
      <Tail chosen={chosen} isLive={isLive} run={run} />
    </Box>
  );
};

const logUrl = ({ dag_id: dag, run_id: run }: Run, { attempt, task }: Chosen): string =>
  hostUrl(
    `dags/${encodeURIComponent(dag)}/runs/${encodeURIComponent(run)}/tasks/${encodeURIComponent(task)}` +
      `?try_number=${attempt}`,
  );

const Tail = ({ chosen, isLive, run }: RunLogProps & { readonly chosen: Chosen }) => {
  const { data, error, isPending } = useLogTail(run, chosen, MOST_LINES, isLive);
  const end = useRef<HTMLPreElement>(null);

  // What is written last is what is looked for.
  useEffect(() => {
    end.current?.scrollTo({ top: end.current.scrollHeight });
  }, [data]);

  if (isPending) {
    return <Skeleton height="16" mt="2" />;
  }
  if (data === undefined) {
    return <NoLog text={whyNot(error)} />;
  }
  if (data.lines.length === 0) {
    return <NoLog text={isLive ? "nothing is written so far" : "nothing was written"} />;
  }

  return (
    <>
      <Text color="fg.muted" fontSize="xs" mt="1">
        {data.isCut ? `The last ${data.lines.length} lines` : "All of its lines"}
        {isLive ? ", read again every few seconds" : ""}
      </Text>
      <Box
        aria-label={`The end of the log of ${chosen.task}, attempt ${chosen.attempt}`}
        as="pre"
        bg="bg.subtle"
        fontFamily="mono"
        fontSize="xs"
        maxH="72"
        mt="1"
        overflow="auto"
        px="3"
        py="2"
        ref={end}
        role="region"
        rounded="md"
        tabIndex={0}
        whiteSpace="pre-wrap"
        wordBreak="break-word"
      >
        {data.lines.join("\n")}
      </Box>
    </>
  );
};

const whyNot = (error: unknown): string => {
  if (error instanceof ApiError && error.status === 404) {
    return "Airflow has no log of this: the run was cleaned up there, or its log was";
  }

  return `the log cannot be read: ${error instanceof Error ? error.message : "unknown error"}`;
};

const NoLog = ({ text }: { readonly text: string }) => (
  <Text color="fg.muted" fontSize="sm" mt="2">
    {sentence(text)}.
  </Text>
);
