/**
 * What every command has: where to put results, progress and logs, and how to be stopped.
 */
import { InvalidArgumentError, Option } from "commander";
import ora from "ora";
import { createLogger, type Logger } from "../logger.ts";

export interface OutputOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export interface Context {
  readonly log: Logger;
  /** Prints a result for people; nothing with --json or --quiet. */
  readonly print: (text: string) => void;
  /** Prints the one JSON document of --json; nothing without. */
  readonly printJson: (document: unknown) => void;
  /** Runs work with a spinner on a terminal; the work says what it is doing. */
  readonly withProgress: <T>(phase: string, work: (update: (phase: string) => void) => Promise<T>) => Promise<T>;
}

export const OUTPUT_OPTIONS = [
  new Option("--json", "print exactly one JSON document on standard output"),
  new Option("--quiet", "print no result and no progress"),
];

export function createContext({ json = false, quiet = false }: OutputOptions): Context {
  return {
    log: createLogger(process.env),
    print: (text) => {
      if (!json && !quiet) process.stdout.write(`${text}\n`);
    },
    printJson: (document) => {
      if (json) process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    },
    withProgress: async (phase, work) => {
      // Ora writes to standard error; off a terminal it would print lines between the JSON logs, and on a
      // terminal that claims no columns it would count lines for ever.
      const { isTTY, columns } = process.stderr;
      const spinner = ora({ text: phase, isSilent: quiet || !isTTY || !columns }).start();
      try {
        return await work((text) => {
          spinner.text = text;
        });
      } finally {
        spinner.stop();
      }
    },
  };
}

/** A parser for options that hold numbers; commander adds the option's name to the message. */
export function numberIn(minimum: number, maximum: number, { whole = false } = {}): (text: string) => number {
  const isOpen = minimum === 0 && !whole; // a share or a rate: above zero
  return (text) => {
    const value = Number(text);
    const isInside = value <= maximum && (isOpen ? value > 0 : value >= minimum);
    if (text.trim() !== "" && isInside && (!whole || Number.isInteger(value))) return value;
    const range = `${isOpen ? "(" : "["}${minimum}, ${maximum}]`;
    throw new InvalidArgumentError(`Expected a ${whole ? "whole number" : "number"} in ${range}, got "${text}".`);
  };
}

export function wholeNumber(minimum: number, maximum: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return numberIn(minimum, maximum, { whole: true });
}
