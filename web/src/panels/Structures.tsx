import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { toggleHidden, toggleLock } from "../commands";
import { millilitres, readable } from "../format";
import { send } from "../queue";
import * as state from "../state";
import type { Structure } from "../types";
import { Button } from "./Button";

export function Structures() {
  const structures = state.scan.value?.structures ?? [];
  const edited = useSignal<number | null>(null);
  return (
    <section class="structures" aria-label="Structures">
      <h2>Structures</h2>
      <ul>
        {structures.map((structure, position) =>
          structure.id === edited.value
            ? <EditedRow key={structure.id} structure={structure} done={() => (edited.value = null)} />
            : <Row key={structure.id} structure={structure} position={position} edit={() => (edited.value = structure.id)} />)}
      </ul>
      {structures.length === 0 && <p class="empty">None yet. Name the first one and press Add.</p>}
      <AddRow />
    </section>
  );
}

function Row({ structure, position, edit }: { structure: Structure; position: number; edit(): void }) {
  const { id, frozen } = structure;
  const name = readable(structure.name);
  const shown = !state.hidden.value.has(id);
  const chosen = state.chosen.value;
  const active = id === state.structureId.value;
  const element = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (active) element.current?.scrollIntoView({ block: "nearest" }); // it may have been chosen by a key
  }, [active]);
  return (
    <li ref={element} class={active ? "active" : ""}>
      {chosen && (
        <input type="checkbox" aria-label={`Propagate ${name}`} title={`Propagate ${name}`} checked={chosen.has(id)} disabled={frozen}
          onChange={() => toggleChosen(id)} />
      )}
      <button type="button" class="choose" aria-label={name} aria-pressed={active}
        title={position < 9 ? `${name} (${position + 1})` : name} onClick={() => (state.structureId.value = id)} onDblClick={edit}>
        <span class="key">{position < 9 ? position + 1 : ""}</span>
        <span class="swatch" ref={(element) => element?.style.setProperty("--colour", structure.colour)} />
        <span class="name">{name}</span>
        <span class="volume">{millilitres(structure.volume_ml)}</span>
      </button>
      <Button name={`${shown ? "Hide" : "Show"} ${name}`} keyId="hide" icon={shown ? "shown" : "hidden"} class={shown ? "mini" : "mini on"} onClick={() => toggleHidden(id)} />
      <Button name={`${frozen ? "Unlock" : "Lock"} ${name}`} keyId="lock" icon={frozen ? "locked" : "unlocked"} class={frozen ? "mini on" : "mini"} onClick={() => toggleLock(id)} />
      <Button name={`Edit ${name}`} icon="edit" class="mini edit" onClick={edit} />
    </li>
  );
}

function EditedRow({ structure, done }: { structure: Structure; done(): void }) {
  const name = useSignal(readable(structure.name));
  const colour = useSignal(structure.colour);
  const save = (event: Event): void => {
    event.preventDefault();
    const said = name.value.trim();
    const kept = said === readable(structure.name) ? structure.name : said; // the file's own spelling stays
    if (said) void send({ do: "rename", structure: structure.id, name: kept, colour: colour.value });
    done();
  };
  const remove = (): void => {
    void send({ do: "remove", structure: structure.id });
    done();
  };
  return (
    <li class="edited">
      <form onSubmit={save} onKeyDown={(event) => event.key === "Escape" && done()}>
        <input type="color" aria-label="Colour" value={colour.value} onInput={(event) => (colour.value = event.currentTarget.value)} />
        <input type="text" aria-label="Name" value={name.value} maxLength={64} ref={(element) => element?.focus()}
          onInput={(event) => (name.value = event.currentTarget.value)} />
        <button type="submit">Save</button>
        <Button name={`Remove ${readable(structure.name)}`} icon="clear" class="mini" onClick={remove} />
      </form>
    </li>
  );
}

function AddRow() {
  const name = useSignal("");
  const add = (event: Event): void => {
    event.preventDefault();
    const said = name.value.trim();
    if (!said) return;
    name.value = "";
    (document.activeElement as HTMLElement | null)?.blur(); // the next keys are the tools'
    const before = new Set(state.scan.value?.structures.map((s) => s.id));
    void send({ do: "add", id: null, name: said, colour: null }).then((done) => {
      const added = done && state.scan.value?.structures.find((s) => !before.has(s.id));
      if (!added) return;
      state.structureId.value = added.id;
    });
  };
  return (
    <form class="add" onSubmit={add}>
      <input type="text" aria-label="New structure" placeholder="New structure" value={name.value} maxLength={64}
        disabled={!state.scan.value} onInput={(event) => (name.value = event.currentTarget.value)} />
      <button type="submit" title="Add the structure (Enter)" disabled={!state.scan.value}>Add</button>
    </form>
  );
}

function toggleChosen(id: number): void {
  const next = new Set(state.chosen.value);
  if (!next.delete(id)) next.add(id);
  state.chosen.value = next;
}
