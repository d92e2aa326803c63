import { createToaster, Portal, Stack, Toast, Toaster } from "@chakra-ui/react";

import { ApiError } from "../api/client";
import { sentence } from "../format";

export const toaster = createToaster({ max: 3, overlap: true, placement: "bottom-end" });

export const tellError = (title: string, error: unknown): void => {
  const hint = error instanceof ApiError && error.hint !== null ? ` – ${error.hint}` : "";
  const message = error instanceof Error ? error.message : "unknown error";

  toaster.create({ description: sentence(`${message}${hint}`), duration: 9000, title, type: "error" });
};

export const tell = (title: string, description?: string): void => {
  toaster.create({ duration: 4000, title, type: "success", ...(description === undefined ? {} : { description }) });
};

export const Toasts = () => (
  <Portal>
    <Toaster insetInline={{ mdDown: "4" }} toaster={toaster}>
      {(toast) => (
        <Toast.Root width={{ md: "sm" }}>
          <Toast.Indicator />
          <Stack flex="1" gap="1" maxWidth="100%">
            {toast.title === undefined ? undefined : <Toast.Title>{toast.title}</Toast.Title>}
            {toast.description === undefined ? undefined : <Toast.Description>{toast.description}</Toast.Description>}
          </Stack>
          <Toast.CloseTrigger aria-label="Dismiss" />
        </Toast.Root>
      )}
    </Toaster>
  </Portal>
);
