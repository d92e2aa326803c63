import { CloseButton, Drawer, Portal, Skeleton, Text } from "@chakra-ui/react";

import { useSchedule } from "../api/queries";
import { Failure } from "../components/Failure";
import { Editor } from "./Editor";

export const NEW = " new";
/** Stands for a schedule that is not there yet; no id has a space. */

type EditorDrawerProps = { readonly id: string | null; readonly onClose: () => void };

export const EditorDrawer = ({ id, onClose }: EditorDrawerProps) => (
  <Drawer.Root
    closeOnInteractOutside={false}
    lazyMount
    onOpenChange={({ open }) => {
      if (!open) {
        onClose();
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
            <Editor definition={null} onDone={onClose} version={null} />
          ) : (
            <Existing id={id} key={id} onDone={onClose} />
          )}
          <Drawer.CloseTrigger asChild>
            <CloseButton aria-label="Close" size="sm" />
          </Drawer.CloseTrigger>
        </Drawer.Content>
      </Drawer.Positioner>
    </Portal>
  </Drawer.Root>
);

const Existing = ({ id, onDone }: { readonly id: string; readonly onDone: () => void }) => {
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

  return <Editor definition={data.definition} onDone={onDone} version={data.made.version} />;
};
