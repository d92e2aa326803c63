import { Input, InputGroup } from "@chakra-ui/react";
import { useEffect, useState } from "react";

import { Search } from "./icons";

const WAIT = 250;

type SearchFieldProps = {
  readonly label: string;
  readonly onSearch: (q: string) => void;
  /** What is searched for now, by the address. */
  readonly q: string;
};

/** Searches schedules when a person stops typing; and shows what the address says when that changes by itself. */
export const SearchField = ({ label, onSearch, q }: SearchFieldProps) => {
  const [text, setText] = useState(q);
  const [seen, setSeen] = useState(q);
  const [sent, setSent] = useState(q);

  if (q !== seen) {
    setSeen(q);
    if (q !== sent) {
      setText(q);
      setSent(q);
    }
  }

  useEffect(() => {
    if (text === q) {
      return undefined;
    }
    const timer = setTimeout(() => {
      setSent(text);
      onSearch(text);
    }, WAIT);

    return () => clearTimeout(timer);
  }, [onSearch, q, text]);

  return (
    <InputGroup flex="1" maxW="sm" minW="48" startElement={<Search />}>
      <Input
        aria-label={label}
        onChange={(event) => setText(event.target.value)}
        placeholder="Search by name, tag, group, source"
        size="sm"
        type="search"
        value={text}
      />
    </InputGroup>
  );
};
