import { Field, NativeSelect } from "@chakra-ui/react";

import { useTemplates } from "../api/queries";
import type { TemplateInfo } from "../api/types";

type StartFromProps = {
  readonly onChange: (template: TemplateInfo | null) => void;
  readonly template: TemplateInfo | null;
};

/**
 * What a new schedule begins with: a template, or nothing. Without an answer of the server there is nothing to
 * choose.
 */
export const StartFrom = ({ onChange, template }: StartFromProps) => {
  const { data } = useTemplates();
  const templates = data?.templates ?? [];

  return templates.length === 0 ? undefined : (
    <Field.Root mt="3">
      <Field.Label fontSize="sm">Start from</Field.Label>
      <NativeSelect.Root size="sm">
        <NativeSelect.Field
          onChange={(event) => onChange(templates.find(({ name }) => name === event.target.value) ?? null)}
          value={template?.name ?? ""}
        >
          <option value="">A blank schedule</option>
          {templates.map(({ name, title }) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </NativeSelect.Field>
        <NativeSelect.Indicator />
      </NativeSelect.Root>
      {template === null ? undefined : (
        <Field.HelperText fontSize="xs">
          {template.summary} Names of connections and paths are examples.
        </Field.HelperText>
      )}
    </Field.Root>
  );
};

/** What a template says, without what is everybody's own: the id, and where sets lie. */
export const beginningOf = ({ definition }: TemplateInfo): Record<string, unknown> =>
  Object.fromEntries(Object.entries(definition).filter(([key]) => key !== "id" && key !== "repository"));
