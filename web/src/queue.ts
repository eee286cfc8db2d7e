import * as api from "./api";
import { said } from "./said";
import { slices } from "./slices";
import { adopt, complain, connection, say, scan, traces, unsent, type Trace } from "./state";
import type { Action } from "./types";

/** Sent one after the other, so that an undo never overtakes the stroke before it. */
let tail: Promise<unknown> = Promise.resolve();

/**
 * Has the server do something; true when it is done and on the screen.
 * The trace, if any, is shown until then. The server's refusal goes to the status line.
 */
export function send(action: Action, trace?: Trace): Promise<boolean> {
  const id = scan.value?.id;
  if (!id) return Promise.resolve(false);
  if (trace) traces.value = [...traces.value, trace];
  unsent.value++;
  const done = tail.then(() => perform(id, action));
  tail = done;
  return done.finally(() => {
    unsent.value--;
    if (trace) traces.value = traces.value.filter((other) => other !== trace);
  });
}

async function perform(id: string, action: Action): Promise<boolean> {
  try {
    const answer = await untilAnswered(id, action);
    if (scan.value?.id !== id) return true;
    adopt(answer.scan);
    say([said(action, answer.scan), answer.ended].filter(Boolean).join(" "));
    if (answer.changed) await slices.refresh(answer.changed, answer.version);
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

/** An action that may be done twice without harm waits for the connection; of others a person decides. */
async function untilAnswered(id: string, action: Action): ReturnType<typeof api.act> {
  for (;;) {
    try {
      return await api.act(id, action);
    } catch (error) {
      if (!(error instanceof api.Unreachable)) throw error;
      if (connection.value.state === "on") connection.value = { state: "off", retryInS: 2 };
      if (!REPEATABLE.has(action.do)) throw new Error(`The server does not answer: look whether "${action.do}" was done.`);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

const REPEATABLE = new Set<Action["do"]>(["draw", "brush", "polygon", "fill_between", "rename", "lock", "unlock", "clear"]);
