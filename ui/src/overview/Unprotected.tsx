import { Box, Button, Code, Flex, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useCoverage } from "../api/queries";
import type { ConnectionCoverage, Status } from "../api/types";
import { Panel } from "../shared/Panel";

type UnprotectedProps = {
  /** Begin a schedule for a connection; null where the user may not. */
  readonly onNew: ((connection: ConnectionCoverage) => void) | null;
  readonly status: Status;
};

/** More than this hides what is below. */
const FEW = 5;

/** What no schedule protects: one sentence, and one click to a schedule for each. Nothing where there is none. */
export const Unprotected = ({ onNew, status }: UnprotectedProps) => {
  const [all, setAll] = useState(false);
  const counts = status.coverage;
  const isAsked = counts !== null && counts.unprotected > 0;
  const { data } = useCoverage(isAsked);

  if (!isAsked) {
    return null;
  }
  const found = (data?.connections ?? []).filter(({ state }) => state === "unprotected");
  const shown = all ? found : found.slice(0, FEW);

  return (
    <Panel title="Not protected">
      <Stack divideY="1px" gap="0">
        <Text fontWeight="semibold" px="4" py="3">
          {sentenceOf(counts, data?.connections ?? [])}
        </Text>
        {shown.map((connection) => (
          <Flex align="center" gap="3" justify="space-between" key={connection.connection_id} px="4" py="2">
            <Box minW="0">
              <Code overflowWrap="anywhere">{connection.connection_id}</Code>{" "}
              <Text as="span" color="fg.muted" fontSize="sm">
                {connection.type}
              </Text>
            </Box>
            {onNew === null ? undefined : (
              <Button
                aria-label={`Protect ${connection.connection_id}`}
                onClick={() => onNew(connection)}
                size="xs"
                variant="outline"
              >
                Protect
              </Button>
            )}
          </Flex>
        ))}
        {found.length > shown.length ? (
          <Button onClick={() => setAll(true)} rounded="none" size="sm" variant="ghost">
            Show {found.length - shown.length} more
          </Button>
        ) : undefined}
      </Stack>
    </Panel>
  );
};

type Counts = NonNullable<Status["coverage"]>;

/** Say how many of how many; connections may lead to folders, too. */
export const sentenceOf = ({ total, unprotected }: Counts, connections: readonly ConnectionCoverage[]): string => {
  const noun = connections.length > 0 && connections.every(({ type }) => type !== "fs") ? "database" : "connection";

  return `${unprotected} of ${total} ${noun}${total === 1 ? "" : "s"} ${unprotected === 1 ? "is" : "are"} unprotected`;
};
