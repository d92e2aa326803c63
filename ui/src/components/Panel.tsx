import { Box, Flex, Heading, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

type PanelProps = { readonly action?: ReactNode; readonly children: ReactNode; readonly note?: string; readonly title: string };

export const Panel = ({ action, children, note, title }: PanelProps) => (
  <Box as="section" aria-label={title}>
    <Flex align="baseline" gap="2" mb="2">
      <Heading as="h2" size="sm">
        {title}
      </Heading>
      {note === undefined ? undefined : (
        <Text color="fg.muted" fontSize="xs">
          {note}
        </Text>
      )}
      {action === undefined ? undefined : <Box ms="auto">{action}</Box>}
    </Flex>
    <Box bg="bg" borderWidth="1px" overflow="hidden" rounded="lg">
      {children}
    </Box>
  </Box>
);
