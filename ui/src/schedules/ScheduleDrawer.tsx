import { CloseButton, Drawer, Portal, Text } from "@chakra-ui/react";

import { useSchedule } from "../api/queries";
import { CALM, CLEAR } from "../shared/manners";
import { EditingContext } from "../shared/editing";
import { useOpener } from "../shared/focus";
import { RowMenu } from "./RowMenu";
import { ScheduleView } from "./ScheduleView";

type ScheduleDrawerProps = {
  readonly id: string | null;
  readonly onClose: () => void;
  readonly onEdit: (id: string) => void;
};

export const ScheduleDrawer = ({ id, onClose, onEdit }: ScheduleDrawerProps) => {
  const opener = useOpener(id !== null);

  return (
  <Drawer.Root
    finalFocusEl={opener}
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
      <Drawer.Backdrop {...CALM} />
      <Drawer.Positioner>
        <Drawer.Content {...CALM} {...CLEAR}>
          {id === null ? undefined : (
            <>
              <Drawer.Header display="block" pe="12">
                <Drawer.Title>
                  {id} <Actions id={id} onEdit={onEdit} onGone={onClose} />
                </Drawer.Title>
                <Description id={id} />
              </Drawer.Header>
              <Drawer.Body pb="8">
                <EditingContext value={onEdit}>
                  <ScheduleView id={id} key={id} />
                </EditingContext>
              </Drawer.Body>
            </>
          )}
          <Drawer.CloseTrigger asChild>
            <CloseButton aria-label="Close" size="sm" />
          </Drawer.CloseTrigger>
        </Drawer.Content>
      </Drawer.Positioner>
    </Portal>
  </Drawer.Root>
  );
};

type ActionsProps = { readonly id: string; readonly onEdit: (id: string) => void; readonly onGone: () => void };

const Actions = ({ id, onEdit, onGone }: ActionsProps) => {
  const { data } = useSchedule(id);

  return data === undefined ? undefined : <RowMenu onEdit={onEdit} onGone={onGone} schedule={data} />;
};

const Description = ({ id }: { readonly id: string }) => {
  const { data } = useSchedule(id);

  return data?.description ? (
    <Text color="fg.muted" fontSize="sm" fontWeight="normal">
      {data.description}
    </Text>
  ) : undefined;
};
