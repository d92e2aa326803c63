import { Alert } from "@chakra-ui/react";

import { ApiError } from "../api/client";
import { sentence } from "../format";

/** Why the server refused, where it was asked, and as long as it is true. */
export const Refusal = ({ error, title }: { readonly error: Error; readonly title: string }) => (
  <Alert.Root role="alert" size="sm" status="error" variant="subtle">
    <Alert.Indicator />
    <Alert.Content>
      <Alert.Title>{title}</Alert.Title>
      <Alert.Description>
        {sentence([error.message, error instanceof ApiError ? error.hint : null].filter(Boolean).join(" – "))}
      </Alert.Description>
    </Alert.Content>
  </Alert.Root>
);
