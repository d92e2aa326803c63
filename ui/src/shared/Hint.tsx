import { Portal, Tooltip } from "@chakra-ui/react";
import type { ReactNode } from "react";

type HintProps = { readonly children: ReactNode; readonly text: string | null };

/** A tooltip; nothing at all when there is nothing to say. */
export const Hint = ({ children, text }: HintProps) =>
  text === null || text === "" ? (
    children
  ) : (
    <Tooltip.Root closeDelay={50} openDelay={250} positioning={{ placement: "top" }}>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Portal>
        <Tooltip.Positioner>
          <Tooltip.Content maxW="xs">{text}</Tooltip.Content>
        </Tooltip.Positioner>
      </Portal>
    </Tooltip.Root>
  );
