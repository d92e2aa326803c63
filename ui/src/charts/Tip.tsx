import { Box, Flex } from "@chakra-ui/react";

type TipProps = {
  /** Where in the chart, from 0 to 1. */
  readonly share: number;
  readonly text: string;
};

/** What is under the pointer, or under the keyboard, never wider than the chart; a screen reader hears it from that. */
export const Tip = ({ share, text }: TipProps) => (
  <Flex
    aria-hidden="true"
    bottom="100%"
    insetInline="0"
    mb="1"
    pointerEvents="none"
    position="absolute"
    zIndex="docked"
  >
    <Box flexGrow={share} />
    <Box
      bg="bg.inverted"
      color="fg.inverted"
      fontSize="xs"
      lineHeight="short"
      maxW="full"
      px="2"
      py="1"
      rounded="md"
      shadow="md"
    >
      {text}
    </Box>
    <Box flexGrow={1 - share} />
  </Flex>
);
