import { CloseButton, Drawer, Portal, Skeleton, Text } from "@chakra-ui/react";

import { useState } from "react";

import { useSchedule } from "../api/queries";
import { Confirm } from "../components/Confirm";
import { Failure } from "../components/Failure";
import { Editor } from "./Editor";

export const NEW = " new";
/** Stands for a schedule that is not there yet; no id has a space. */

type EditorDrawerProps = {
  readonly id: string | null;
  readonly onClose: () => void;
  /** What a new schedule begins with; null for a blank one. */
  readonly start?: Record<string, unknown> | null;
};

export const EditorDrawer = ({ id, onClose, start = null }: EditorDrawerProps) => {
  const [isTyped, setTyped] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const done = (): void => {
    setAsking(false);
    setTyped(false);
    onClose();
  };

  return (
  <>
  <Drawer.Root
    closeOnInteractOutside={false}
    lazyMount
    onOpenChange={({ open }) => {
      if (!open && isTyped) {
        setAsking(true);
      } else if (!open) {
        done();
      }
    }}
    open={id !== null}
    placement="end"
    size="lg"
    unmountOnExit
  >
    <Portal>
      <Drawer.Backdrop />
      <Drawer.Positioner>
        <Drawer.Content>
          <Drawer.Header display="block" pe="12">
            <Drawer.Title>{id === NEW ? "New schedule" : `Edit ${id ?? ""}`}</Drawer.Title>
            {id === NEW ? undefined : (
              <Text color="fg.muted" fontSize="sm" fontWeight="normal">
                What is saved is a new version; the versions before it stay.
              </Text>
            )}
          </Drawer.Header>
          {id === null ? undefined : id === NEW ? (
            <Editor definition={start} onDone={done} onTyped={setTyped} version={null} />
          ) : (
            <Existing id={id} key={id} onDone={done} onTyped={setTyped} />
          )}
          <Drawer.CloseTrigger asChild>
            <CloseButton aria-label="Close" size="sm" />
          </Drawer.CloseTrigger>
        </Drawer.Content>
      </Drawer.Positioner>
    </Portal>
  </Drawer.Root>
  {isAsking ? (
    <Confirm action="Discard" isBusy={false} isReady onClose={() => setAsking(false)} onConfirm={done} palette="danger" title="Discard what you typed?">
      <Text fontSize="sm">{id === NEW ? "The new schedule" : `The change of ${id ?? ""}`} is not saved yet.</Text>
    </Confirm>
  ) : undefined}
  </>
  );
};

type ExistingProps = { readonly id: string; readonly onDone: () => void; readonly onTyped: (isTyped: boolean) => void };

const Existing = ({ id, onDone, onTyped }: ExistingProps) => {
  const { data, error, isPending, refetch } = useSchedule(id);

  if (isPending) {
    return (
      <Drawer.Body>
        <Skeleton height="40" />
      </Drawer.Body>
    );
  }
  if (data?.made == null) {
    return (
      <Drawer.Body>
        <Failure error={error} onRetry={() => void refetch()} what={`Schedule ${id}`} />
      </Drawer.Body>
    );
  }

  return <Editor definition={data.definition} onDone={onDone} onTyped={onTyped} version={data.made.version} />;
};
