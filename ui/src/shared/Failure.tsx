import { Alert, Button } from "@chakra-ui/react";

import { ApiError } from "../api/client";
import { sentence } from "../format";

type FailureProps = { readonly error: unknown; readonly onRetry: () => void; readonly what: string };

/** A part of the page that could not be loaded; the rest stays useful. */
export const Failure = ({ error, onRetry, what }: FailureProps) => {
  const message = error instanceof Error ? error.message : "unknown error";
  const hint = error instanceof ApiError ? error.hint : null;

  return (
    <Alert.Root status="error" variant="subtle">
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title>{what} could not be loaded</Alert.Title>
        <Alert.Description>{sentence([message, hint].filter(Boolean).join(" – "))}</Alert.Description>
      </Alert.Content>
      <Button alignSelf="center" onClick={onRetry} size="xs" variant="outline">
        Try again
      </Button>
    </Alert.Root>
  );
};
