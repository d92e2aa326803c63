import { Box } from "@chakra-ui/react";

type TipProps = {
  /** Where in the chart, in percent of its width. */
  readonly share: number;
  readonly text: string;
};

/** What is under the pointer, or under the keyboard; a screen reader hears it from the chart itself. */
export const Tip = ({ share, text }: TipProps) => (
  <Box
    aria-hidden="true"
    bg="bg.inverted"
    bottom="100%"
    color="fg.inverted"
    fontSize="xs"
    left={`${Math.min(100, Math.max(0, share))}%`}
    lineHeight="short"
    maxW="16rem"
    mb="1"
    pointerEvents="none"
    position="absolute"
    px="2"
    py="1"
    rounded="md"
    shadow="md"
    transform={`translateX(-${Math.min(100, Math.max(0, share))}%)`}
    whiteSpace="pre-line"
    width="max-content"
    zIndex="docked"
  >
    {text}
  </Box>
);
