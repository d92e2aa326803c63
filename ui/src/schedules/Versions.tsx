import { Box, Code, Flex, Skeleton, Stack, Text } from "@chakra-ui/react";

import { useVersions } from "../api/queries";
import type { KeyChange, ScheduleSummary, VersionEntry } from "../api/types";
import { formatExact, formatMoment } from "../format";
import { toYaml } from "../yaml";
import { Failure } from "../shared/Failure";

/** Who changed the schedule, when, and what. */
export const Versions = ({ schedule }: { readonly schedule: ScheduleSummary }) => {
  const { data, error, isPending, refetch } = useVersions(schedule.id);

  if (isPending) {
    return <Skeleton height="20" />;
  }
  if (data === undefined) {
    return <Failure error={error} onRetry={() => void refetch()} what="The versions" />;
  }

  return (
    <Stack as="ol" borderWidth="1px" divideY="1px" gap="0" listStyleType="none" rounded="lg">
      {data.versions.map((version) => (
        <Version key={version.version} version={version} />
      ))}
    </Stack>
  );
};

const Version = ({ version }: { readonly version: VersionEntry }) => (
  <Box as="li" data-testid="version" px="3" py="2.5">
    <Flex align="baseline" gap="2" wrap="wrap">
      <Text fontSize="sm" fontWeight="semibold">
        Version {version.version}
      </Text>
      <Text color="fg.muted" fontSize="xs">
        <time dateTime={version.saved_at} title={formatExact(version.saved_at)}>
          {formatMoment(version.saved_at)}
        </time>{" "}
        by {version.author}
      </Text>
    </Flex>
    {version.deleted ? (
      <Text color="fg.muted" fontSize="sm">
        Deleted
      </Text>
    ) : version.version === 1 ? (
      <Box as="details" fontSize="xs" mt="1">
        <Text as="summary" color="fg.muted" cursor="pointer">
          As it was made
        </Text>
        <Diff changes={version.changes} />
      </Box>
    ) : (
      <Diff changes={version.changes} />
    )}
  </Box>
);

const Diff = ({ changes }: { readonly changes: readonly KeyChange[] }) => (
  <Code
    as="pre"
    bg="bg.subtle"
    display="block"
    fontSize="xs"
    mt="1.5"
    overflowX="auto"
    px="2"
    py="1.5"
    rounded="md"
    tabIndex={0}
    whiteSpace="pre"
  >
    {changes.length === 0 ? "nothing changed" : undefined}
    {changes.map(({ after, before, key }) => (
      <Box key={key}>
        <Lines sign="-" value={before} yamlKey={key} />
        <Lines sign="+" value={after} yamlKey={key} />
      </Box>
    ))}
  </Code>
);

type LinesProps = { readonly sign: "+" | "-"; readonly value: unknown; readonly yamlKey: string };

const Lines = ({ sign, value, yamlKey }: LinesProps) =>
  value === null || value === undefined ? undefined : (
    <Box color={sign === "-" ? "failed.fg" : "success.fg"}>
      {toYaml({ [yamlKey]: value })
        .split("\n")
        .map((line) => `${sign} ${line}`)
        .join("\n")}
    </Box>
  );
