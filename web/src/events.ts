import { eventsAddress } from "./api";
import type { Job, Scan, SliceRange } from "./types";

export interface Listener {
  changed(change: SliceRange & { version: number }): void;
  job(job: Job): void;
  scan(scan: Scan): void;
  error(line: string): void;
  /** Connected for the first time, or again: what was missed has to be asked for. */
  connected(again: boolean): void;
  lost(retryInS: number): void;
}

const LONGEST_WAIT_S = 15;

/** Listens to a scan's events, and comes back when the connection is lost. Returns what ends it. */
export function listen(id: string, listener: Listener): () => void {
  let source: EventSource | null = null;
  let timer = 0;
  let waitS = 1;
  let connectedBefore = false;

  function connect(): void {
    source = new EventSource(eventsAddress(id));
    const on = (name: string, hear: (data: never) => void): void =>
      source!.addEventListener(name, (event) => {
        const data = (event as MessageEvent<unknown>).data;
        if (typeof data === "string") hear(JSON.parse(data) as never); // the browser's own "error" has no data
      });
    on("changed", listener.changed);
    on("job", listener.job);
    on("scan", listener.scan);
    on("error", (line: unknown) => listener.error(typeof line === "string" ? line : (line as { detail: string }).detail));
    source.onopen = () => {
      waitS = 1;
      listener.connected(connectedBefore);
      connectedBefore = true;
    };
    source.onerror = (event) => {
      if (typeof (event as MessageEvent).data === "string") return;
      source?.close();
      waitS = Math.min(waitS * 2, LONGEST_WAIT_S);
      listener.lost(waitS);
      timer = window.setTimeout(connect, waitS * 1000);
    };
  }

  connect();
  return () => {
    window.clearTimeout(timer);
    source?.close();
  };
}
