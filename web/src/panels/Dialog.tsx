import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { dialog } from "../state";

/** A window above the page; Escape and a click beside it close it. */
export function Dialog({ title, children }: { title: string; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  const close = (): void => void (dialog.value = null);
  return (
    <dialog ref={element} aria-label={title} onClose={close} onClick={(event) => event.target === element.current && close()}>
      <div class="sheet">
        <header>
          <h1>{title}</h1>
          <button type="button" class="quiet" aria-label="Close" title="Close (Escape)" onClick={close}>×</button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
