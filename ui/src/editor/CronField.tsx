import { Box, Button, Flex, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { CronPicture } from "./CronPicture";
import { readCron, writeCron } from "./cron";
import { TextField } from "./fields";

type CronFieldProps = Parameters<typeof TextField>[0] & {
  /** Whether the picture is there from the beginning; else it is opened. */
  readonly isOpen?: boolean;
};

/** A cron expression, and a picture of what it says: both change the same text. What no picture can say stays text. */
export const CronField = ({ isOpen: isOpenAtFirst = false, ...field }: CronFieldProps) => {
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  const picture = readCron(field.value);
  const isEmpty = field.value.trim() === "";

  return (
    <Stack gap="2" minW="0">
      <Flex align="end" gap="2">
        <Box flex="1">
          <TextField {...field} />
        </Box>
        {isOpenAtFirst ? undefined : (
          <Button
            aria-expanded={isOpen}
            aria-label={`${isOpen ? "Hide" : "Show"} the picture of ${field.label}`}
            mb={field.problem === undefined ? "0" : "6"}
            onClick={() => setOpen(!isOpen)}
            size="sm"
            variant="outline"
          >
            {isOpen ? "Hide" : "Choose"}
          </Button>
        )}
      </Flex>
      {isOpen && picture !== null ? (
        <CronPicture label={field.label} onChange={(changed) => field.onChange(writeCron(changed))} picture={picture} />
      ) : undefined}
      {isOpen && picture === null ? (
        <Text color="fg.muted" fontSize="xs">
          {isEmpty ? (
            <Button onClick={() => field.onChange("0 2 * * *")} size="2xs" variant="outline">
              Begin with every day at 02:00
            </Button>
          ) : (
            "No picture can show this expression; it stays as it is written."
          )}
        </Text>
      ) : undefined}
    </Stack>
  );
};
