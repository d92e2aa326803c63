import { Box } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { Palette } from "../words";

type NoticeProps = { readonly children: ReactNode; readonly palette: Palette };

/** Something to read: quiet in both themes, with a coloured edge that says how bad it is. */
export const Notice = ({ children, palette }: NoticeProps) => (
  <Box bg="bg.subtle" borderStartColor={`${palette}.solid`} borderStartWidth="3px" px="3" py="2" roundedEnd="md">
    {children}
  </Box>
);
