import { Link, Spinner, Text } from "@chakra-ui/react";
import { useEffect, useState } from "react";

import { hostUrl } from "../api/client";
import type { Answer, Started } from "../api/types";

/** After which a person may wonder, in milliseconds. */
const LONG = 60_000;

type WaitingProps = { readonly answer: Answer | undefined; readonly started: Started | undefined };

/** What a question waits for, with the way to its run; and what may be wrong when that takes long. */
export const Waiting = ({ answer, started }: WaitingProps) => {
  const [isLong, setLong] = useState(false);

  useEffect(() => {
    const timer = setTimeout(() => setLong(true), LONG);

    return () => clearTimeout(timer);
  }, []);

  return (
    <Text aria-live="polite" color="fg.muted" fontSize="sm">
      <Spinner me="2" size="xs" />
      {answer?.state === "running" ? "A worker looks … " : "Waiting for a worker … "}
      {isLong && answer?.state !== "running"
        ? "Is one there that serves the queue, and is the scheduler running? "
        : ""}
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
};
