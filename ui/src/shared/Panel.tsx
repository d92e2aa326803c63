import { Box, Flex, Heading, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { Stale } from "../api/live";
import { notSince } from "../format";

type PanelProps = {
  readonly action?: ReactNode;
  readonly children: ReactNode;
  readonly note?: string | undefined;
  /** What is shown may be over: no colour says that all is well. */
  readonly stale?: Stale;
  readonly title: string;
};

export const Panel = ({ action, children, note, stale = null, title }: PanelProps) => (
  <Box as="section" aria-label={title}>
    <Flex align="baseline" columnGap="2" mb="2" wrap={{ base: "wrap", md: "nowrap" }}>
      <Heading as="h2" size="sm">
        {title}
      </Heading>
      {stale === null && note === undefined ? undefined : (
        <Text color="fg.muted" fontSize="xs">
          {stale === null ? note : notSince(stale.at)}
        </Text>
      )}
      {action === undefined ? undefined : <Box ms="auto">{action}</Box>}
    </Flex>
    <Box bg="bg" borderWidth="1px" filter={stale === null ? undefined : "grayscale(1)"} overflow="hidden" rounded="lg">
      {children}
    </Box>
  </Box>
);
