import { Box, Button, CloseButton, Dialog, Portal } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { CALM, CLEAR } from "./manners";
import { useOpener } from "./focus";

type ConfirmProps = {
  readonly action: string;
  readonly children: ReactNode;
  readonly isBusy: boolean;
  readonly isReady: boolean;
  readonly onClose: () => void;
  readonly onConfirm: () => void;
  readonly palette?: "brand" | "danger";
  readonly size?: "lg" | "sm";
  readonly title: string;
};

/** A small dialog with one thing to do; Airflow blocks the browser's own dialogs in some frames. */
export const Confirm = ({
  action,
  children,
  isBusy,
  isReady,
  onClose,
  onConfirm,
  palette = "brand",
  size = "sm",
  title,
}: ConfirmProps) => {
  const opener = useOpener(true);

  return (
    <Dialog.Root
      finalFocusEl={opener}
      onOpenChange={({ open }) => {
        if (!open) {
          onClose();
        }
      }}
      open
      placement="center"
      size={size}
    >
      <Portal>
        <Dialog.Backdrop {...CALM} />
        <Dialog.Positioner>
          <Dialog.Content {...CALM} {...CLEAR}>
            <Box asChild display="contents">
              <form
                onSubmit={(event) => {
                  event.preventDefault();
                  if (isReady && !isBusy) {
                    onConfirm();
                  }
                }}
              >
                <Dialog.Header>
                  <Dialog.Title>{title}</Dialog.Title>
                </Dialog.Header>
                <Dialog.Body display="flex" flexDirection="column" gap="4">
                  {children}
                </Dialog.Body>
                <Dialog.Footer>
                  <Button onClick={onClose} size="sm" type="button" variant="outline">
                    Cancel
                  </Button>
                  <Button colorPalette={palette} disabled={!isReady} loading={isBusy} size="sm" type="submit">
                    {action}
                  </Button>
                </Dialog.Footer>
                <Dialog.CloseTrigger asChild>
                  <CloseButton aria-label="Close" size="sm" type="button" />
                </Dialog.CloseTrigger>
              </form>
            </Box>
          </Dialog.Content>
        </Dialog.Positioner>
      </Portal>
    </Dialog.Root>
  );
};
