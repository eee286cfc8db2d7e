import { KEYS, MOUSE, spoken } from "../keys";
import { restartHint } from "./Hint";
import { Dialog } from "./Dialog";

const GROUPS = [...new Set(KEYS.map((key) => key.group))];

export function Help() {
  return (
    <Dialog title="Keys and mouse">
      <div class="help">
        {GROUPS.map((group) => (
          <section key={group}>
            <h2>{group}</h2>
            <dl>
              {KEYS.filter((key) => key.group === group).map((key) => (
                <div key={key.id}><dt><Chords chords={key.chords} /></dt><dd>{key.what}</dd></div>
              ))}
            </dl>
          </section>
        ))}
        <section>
          <h2>Mouse</h2>
          <dl>{MOUSE.map(([what, does]) => <div key={what}><dt class="mouse">{what}</dt><dd>{does}</dd></div>)}</dl>
        </section>
      </div>
      <button type="button" onClick={restartHint}>Show the first steps again</button>
    </Dialog>
  );
}

function Chords({ chords }: { chords: string[] }) {
  if (chords.length > 2) return <><kbd>{chords[0]}</kbd>–<kbd>{chords.at(-1)}</kbd></>;
  return <>{chords.map((chord) => <kbd key={chord}>{spoken(chord)}</kbd>)}</>;
}
