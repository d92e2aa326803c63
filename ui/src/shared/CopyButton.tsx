import { Code, Flex, IconButton } from "@chakra-ui/react";
import { useEffect, useState } from "react";

import { Check, Copy } from "./icons";

const SHOWN = 2_000;

/** Browsers give the clipboard to pages behind HTTPS only, and Airflow often is not: the older way works there. */
const copyOldWay = (text: string, beside: HTMLElement): boolean => {
  const field = document.createElement("textarea");

  field.value = text;
  field.style.cssText = "position:absolute;opacity:0;pointer-events:none";
  beside.after(field); // within a dialog, which keeps the focus to itself
  field.select();
  try {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other one without HTTPS
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
    beside.focus();
  }
};

const copy = async (text: string, beside: HTMLElement): Promise<boolean> => {
  try {
    await navigator.clipboard.writeText(text);

    return true;
  } catch {
    return copyOldWay(text, beside);
  }
};

type CopyButtonProps = {
  /** What is copied, in words: "the command". */
  readonly label: string;
  readonly text: string;
};

/** Copies a text, and says whether it did. */
export const CopyButton = ({ label, text }: CopyButtonProps) => {
  const [done, setDone] = useState<boolean | null>(null);

  useEffect(() => {
    if (done === null) {
      return undefined;
    }
    const timer = setTimeout(() => setDone(null), SHOWN);

    return () => clearTimeout(timer);
  }, [done]);

  return (
    <>
      <IconButton
        aria-label={`Copy ${label}`}
        color={done === false ? "fg.error" : done === true ? "fg.success" : "fg.muted"}
        onClick={(event) => void copy(text, event.currentTarget).then(setDone)}
        size="2xs"
        title={`Copy ${label}`}
        type="button"
        variant="ghost"
      >
        {done === true ? <Check /> : <Copy />}
      </IconButton>
      <span aria-live="polite" style={HIDDEN}>
        {done === null ? "" : done ? "Copied" : "It could not be copied"}
      </span>
    </>
  );
};

/** Read out, and not seen. */
const HIDDEN = { clipPath: "inset(50%)", height: 1, overflow: "hidden", position: "absolute", width: 1 } as const;

type CommandProps = { readonly label?: string; readonly text: string };

/** A command of the shell, or a text of several lines, to be copied. */
export const Command = ({ label = "the command", text }: CommandProps) => (
  <Flex align="start" bg="bg.subtle" gap="1" p="1" position="relative" rounded="md">
    <Code
      as="pre"
      bg="transparent"
      colorPalette="none"
      display="block"
      flex="1"
      fontSize="xs"
      minW="0"
      overflowX="auto"
      p="1"
      tabIndex={0}
      whiteSpace="pre"
    >
      {text}
    </Code>
    <CopyButton label={label} text={text} />
  </Flex>
);
