import { Button, EmptyState, Text } from "@chakra-ui/react";

import { CopyButton } from "../shared/CopyButton";
import { FileText } from "../shared/icons";

type NoSchedulesProps = { readonly onImport: (() => void) | null; readonly onNew: (() => void) | null };

/** How to begin. */
export const NoSchedules = ({ onImport, onNew }: NoSchedulesProps) => (
  <EmptyState.Root borderWidth="1px" rounded="lg">
    <EmptyState.Content>
      <EmptyState.Indicator>
        <FileText />
      </EmptyState.Indicator>
      <EmptyState.Title asChild>
        <h2>Write your first schedule</h2>
      </EmptyState.Title>
      <EmptyState.Description maxW="lg" textAlign="center">
        Put a file schedules.yaml beside the DAG file backup_dags.py. Every schedule in it becomes a DAG and shows up
        here within a minute; check it first with{" "}
        <Text as="span" fontFamily="mono" fontSize="sm">
          airflow-backup validate
        </Text>
        <CopyButton label="the command" text="airflow-backup validate" />.
      </EmptyState.Description>
      {onNew === null ? undefined : (
        <Button colorPalette="brand" onClick={onNew} size="sm">
          Or make one here
        </Button>
      )}
      {onImport === null ? undefined : (
        <Button onClick={onImport} size="sm" variant="outline">
          Or import a file
        </Button>
      )}
    </EmptyState.Content>
  </EmptyState.Root>
);
