import { Box, Button, Stack } from "@chakra-ui/react";
import { type ReactNode, useState } from "react";

type FewProps = {
  readonly children: readonly ReactNode[];
  readonly few?: number;
  readonly label: string;
};

const STEP = 50;

/** The first few of a list; the rest is one click away, in portions that a page can bear. */
export const Few = ({ children, few = 3, label }: FewProps) => {
  const [shown, setShown] = useState(few);
  const left = children.length - shown;

  return (
    <Box>
      <Stack aria-label={label} as="ul" gap="1" listStyleType="none">
        {children.slice(0, shown)}
      </Stack>
      {left > 0 ? (
        <Button mt="1" onClick={() => setShown(shown + STEP)} px="1" size="2xs" type="button" variant="ghost">
          {Math.min(left, STEP)} more
        </Button>
      ) : undefined}
    </Box>
  );
};
