import { Link, Spinner, Text } from "@chakra-ui/react";

import { hostUrl } from "../api/client";
import type { Answer, Started } from "../api/types";

type WaitingProps = { readonly answer: Answer | undefined; readonly started: Started | undefined };

/** What a question waits for, with the way to its run. */
export const Waiting = ({ answer, started }: WaitingProps) => (
  <Text aria-live="polite" color="fg.muted" fontSize="sm">
    <Spinner me="2" size="xs" />
    {answer?.state === "running" ? "A worker looks … " : "Waiting for a worker … "}
    {started === undefined ? undefined : (
      <Link
        fontSize="xs"
        href={hostUrl(`dags/${encodeURIComponent(started.dag_id)}/runs/${encodeURIComponent(started.run_id)}`)}
        target="_blank"
      >
        its run in Airflow
      </Link>
    )}
  </Text>
);
