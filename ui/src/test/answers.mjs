// Answers a test in Python: reads a question on stdin, asks the page's own modules, and writes the answers to stdout.
import { registerHooks } from "node:module";
import process from "node:process";
import { text } from "node:stream/consumers";
import { URL } from "node:url";

// The page is bundled, so its modules name each other without an ending.
registerHooks({
  resolve: (name, context, next) =>
    next(name.startsWith("./") || name.startsWith("../") ? name.replace(/(\.ts)?$/u, ".ts") : name, context),
});

const load = (module) => import(new URL(`../${module}.ts`, import.meta.url).href);

/** What each definition becomes when it goes through the form, and through YAML. */
const forms = async ({ definitions, engines }) => {
  const { definitionOf, formOf } = await load("editor/form");
  const { listText, readList } = await load("editor/lists");
  const { toYaml } = await load("yaml");

  return definitions.map((definition) => {
    const form = formOf(definition, engines);

    return {
      form,
      again: definitionOf(form, definition, engines),
      described: definitionOf({ ...form, description: `${form.description}!` }, definition, engines),
      longer: form.window === "custom" ? definitionOf({ ...form, to: "05:55" }, definition, engines) : null,
      tagged: definitionOf({ ...form, tags: listText([...readList(form.tags), "one, more"]) }, definition, engines),
      excluded: definitionOf(
        { ...form, "source.exclude": [form["source.exclude"], '"one, more"'].filter(Boolean).join(", ") },
        definition,
        engines,
      ),
      yaml: toYaml(definition),
    };
  });
};

/** What each cron expression becomes when its picture is written again; null where there is none. */
const crons = async (expressions) => {
  const { readCron, writeCron } = await load("editor/cron");

  return expressions.map((cron) => {
    const picture = readCron(cron);

    return picture === null ? null : writeCron(picture);
  });
};

const { readExactly } = await load("exact");
const { question, given } = readExactly(await text(process.stdin));
const answers = await { crons, forms }[question](given);

process.stdout.write(JSON.stringify(answers));
