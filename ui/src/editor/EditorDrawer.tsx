import { CloseButton, Drawer, Portal, Skeleton, Text } from "@chakra-ui/react";

import { type ReactNode, useCallback, useRef, useState } from "react";

import { useEngines, useSchedule } from "../api/queries";
import type { EngineInfo, TemplateInfo } from "../api/types";
import { Confirm } from "../shared/Confirm";
import { Failure } from "../shared/Failure";
import { CALM, CLEAR } from "../shared/manners";
import { useOpener } from "../shared/focus";
import { Editor } from "./Editor";
import { beginningOf, StartFrom } from "./StartFrom";

export const NEW = " new";
/** Stands for a schedule that is not there yet; no id has a space. */

type EditorDrawerProps = {
  readonly id: string | null;
  readonly onClose: () => void;
  /** What a new schedule begins with; null for a blank one. */
  readonly start?: Record<string, unknown> | null;
};

export const EditorDrawer = ({ id, onClose, start = null }: EditorDrawerProps) => {
  // A key that is pressed before the page was drawn again must know it, too: Escape would throw away what was typed.
  const isTyped = useRef(false);
  const setTyped = useCallback((is: boolean) => {
    isTyped.current = is;
  }, []);
  const [isAsking, setAsking] = useState(false);
  const [template, setTemplate] = useState<TemplateInfo | null>(null);
  // The template that was chosen while something was typed; undefined while nobody asks.
  const [instead, setInstead] = useState<TemplateInfo | null | undefined>(undefined);
  const opener = useOpener(id !== null);
  const done = (): void => {
    setAsking(false);
    setTyped(false);
    setTemplate(null);
    onClose();
  };
  const begin = (chosen: TemplateInfo | null): void => {
    setInstead(undefined);
    setTyped(false);
    setTemplate(chosen);
  };

  return (
    <>
      <Drawer.Root
        finalFocusEl={opener}
        closeOnInteractOutside={false}
        lazyMount
        onOpenChange={({ open }) => {
          if (!open && isTyped.current) {
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
          <Drawer.Backdrop {...CALM} />
          <Drawer.Positioner>
            <Drawer.Content {...CALM} {...CLEAR}>
              <Drawer.Header display="block">
                <Drawer.Title pe="6">{id === NEW ? "New schedule" : `Edit ${id ?? ""}`}</Drawer.Title>
                {id === NEW ? (
                  start === null ? (
                    <StartFrom
                      onChange={(chosen) => (isTyped.current ? setInstead(chosen) : begin(chosen))}
                      template={template}
                    />
                  ) : undefined
                ) : (
                  <Text color="fg.muted" fontSize="sm" fontWeight="normal">
                    What is saved is a new version; the versions before it stay.
                  </Text>
                )}
              </Drawer.Header>
              {id === null ? undefined : (
                <WithEngines>
                  {(engines) =>
                    id === NEW ? (
                      <Editor
                        definition={template === null ? start : beginningOf(template)}
                        engines={engines}
                        key={template?.name ?? ""}
                        onDone={done}
                        onTyped={setTyped}
                        version={null}
                      />
                    ) : (
                      <Existing engines={engines} id={id} key={id} onDone={done} onTyped={setTyped} />
                    )
                  }
                </WithEngines>
              )}
              <Drawer.CloseTrigger asChild>
                <CloseButton aria-label="Close" size="sm" />
              </Drawer.CloseTrigger>
            </Drawer.Content>
          </Drawer.Positioner>
        </Portal>
      </Drawer.Root>
      {isAsking ? (
        <Confirm
          action="Discard"
          isBusy={false}
          isReady
          onClose={() => setAsking(false)}
          onConfirm={done}
          palette="danger"
          title="Discard what you typed?"
        >
          <Text fontSize="sm">{id === NEW ? "The new schedule" : `The change of ${id ?? ""}`} is not saved yet.</Text>
        </Confirm>
      ) : undefined}
      {instead === undefined ? undefined : (
        <Confirm
          action="Discard"
          isBusy={false}
          isReady
          onClose={() => setInstead(undefined)}
          onConfirm={() => begin(instead)}
          palette="danger"
          title="Discard what you typed?"
        >
          <Text fontSize="sm">
            The new schedule begins again, with {instead === null ? "nothing in it" : `“${instead.title}”`}.
          </Text>
        </Confirm>
      )}
    </>
  );
};

type WithEnginesProps = { readonly children: (engines: readonly EngineInfo[]) => ReactNode };

/** A form needs to know what each engine asks for. */
const WithEngines = ({ children }: WithEnginesProps) => {
  const { data, error, isPending, refetch } = useEngines();

  if (data !== undefined) {
    return children(data);
  }

  return (
    <Drawer.Body>
      {isPending ? (
        <Skeleton height="40" />
      ) : (
        <Failure error={error} onRetry={() => void refetch()} what="The list of engines" />
      )}
    </Drawer.Body>
  );
};

type ExistingProps = {
  readonly engines: readonly EngineInfo[];
  readonly id: string;
  readonly onDone: () => void;
  readonly onTyped: (isTyped: boolean) => void;
};

const Existing = ({ engines, id, onDone, onTyped }: ExistingProps) => {
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

  return (
    <Editor
      definition={data.definition}
      engines={engines}
      onDone={onDone}
      onTyped={onTyped}
      version={data.made.version}
    />
  );
};
