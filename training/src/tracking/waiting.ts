/**
 * Runs that wait for a tracking server, in the local folder. They are whole runs of the file store; tags, which stay
 * behind when they are sent, say where to and what is to be registered.
 */
import type { Registration, Run } from "./run.ts";

const SERVER = "churn.waiting.server";
const REGISTRATION = "churn.waiting.registration";

export function asWaiting(run: Run, server: string): Run {
  const { model } = run;
  return {
    ...run,
    tags: { ...run.tags, [SERVER]: server },
    model: model && {
      ...model,
      tags: { ...model.tags, ...(model.registration && { [REGISTRATION]: JSON.stringify(model.registration) }) },
    },
  };
}

/** The server that a run waits for. */
export const serverOf = ({ tags }: Pick<Run, "tags">): string | undefined => tags[SERVER];

/** A run as it was before it had to wait. */
export function asSent(run: Run): Run {
  const { [SERVER]: _, ...tags } = run.tags;
  if (run.model === undefined) return { ...run, tags };
  const { [REGISTRATION]: asked, ...modelTags } = run.model.tags;
  const registration = asked === undefined ? undefined : (JSON.parse(asked) as Registration);
  return { ...run, tags, model: { ...run.model, tags: modelTags, registration } };
}
