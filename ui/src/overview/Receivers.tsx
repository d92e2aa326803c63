import { Box, Button, Flex, Text } from "@chakra-ui/react";

import { useTestMessage } from "../api/changes";
import { useReceivers } from "../api/queries";
import type { ReceiverState } from "../api/types";
import { formatMoment } from "../format";
import { Panel } from "../shared/Panel";
import { tell, tellError, toaster } from "../shared/toaster";

/** Who is told, and whether messages arrive; nothing where nobody is. */
export const Receivers = () => {
  const { data } = useReceivers();

  if (data === undefined || data.receivers.length === 0) {
    return null;
  }

  return (
    <Panel title="Who is told">
      {data.receivers.map((receiver) => (
        <Row key={`${receiver.name} ${receiver.digest}`} mayTest={data.may_test} receiver={receiver} />
      ))}
    </Panel>
  );
};

/** That somebody is not told, in one line: nobody hears of it from a message. */
export const Unreached = () => {
  const receivers = useReceivers().data?.receivers ?? [];
  const names = [...new Set(receivers.filter(({ error }) => error !== null).map(({ name }) => name))];

  return names.length === 0 ? null : (
    <Text color="fg.error" fontSize="xs" mt="1" overflowWrap="anywhere" role="status">
      Not told at the moment: {names.slice(0, 3).join(", ")}
      {names.length > 3 ? ` and ${names.length - 3} more` : ""}
    </Text>
  );
};

type RowProps = { readonly mayTest: boolean; readonly receiver: ReceiverState };

const Row = ({ mayTest, receiver }: RowProps) => {
  const { isPending, mutate } = useTestMessage();
  const test = () =>
    mutate(receiver.name, {
      onError: (error) => tellError("The test message was not sent", error),
      onSuccess: ({ error, hint, sent }) => {
        if (sent) {
          tell("The test message was taken", receiver.way);
        } else {
          const description = `${error}${hint === null ? "" : `; ${hint}`}`;

          toaster.create({ description, duration: 9000, title: "The test message was not taken", type: "error" });
        }
      },
    });

  return (
    <Flex align="center" borderTopWidth="1px" gap="4" justify="space-between" px="4" py="2" wrap="wrap">
      <Box minW="0">
        <Text fontWeight="medium">{receiver.name}</Text>
        <Text color="fg.muted" fontSize="sm" overflowWrap="anywhere">
          {receiver.way}, {whenOf(receiver)}, of {receiver.schedules.length}{" "}
          {receiver.schedules.length === 1 ? "schedule" : "schedules"}
        </Text>
        {receiver.error === null ? undefined : (
          <Text color="fg.error" fontSize="sm" overflowWrap="anywhere" role="status">
            {receiver.waiting} waiting: {receiver.error}
            {receiver.next_try_at === null ? "" : `; tried again ${formatMoment(receiver.next_try_at)}`}
          </Text>
        )}
        {receiver.last_undeliverable === null ? undefined : (
          <Text color="fg.error" fontSize="sm" overflowWrap="anywhere">
            {receiver.undeliverable} never told, the last{" "}
            {receiver.last_undeliverable_at === null ? "" : formatMoment(receiver.last_undeliverable_at)}:{" "}
            {receiver.last_undeliverable}
          </Text>
        )}
      </Box>
      {mayTest ? (
        <Button
          aria-label={`Send a test message to ${receiver.name}`}
          loading={isPending}
          onClick={test}
          size="sm"
          variant="outline"
        >
          Send a test
        </Button>
      ) : undefined}
    </Flex>
  );
};

const whenOf = ({ digest, digest_at }: ReceiverState): string =>
  digest === null ? "at once" : `${digest} at ${digest_at}`;
