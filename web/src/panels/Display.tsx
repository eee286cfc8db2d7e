import * as state from "../state";
import { Button } from "./Button";

const STYLES: [state.MaskStyle, string][] = [["both", "Both"], ["outline", "Outline"], ["fill", "Fill"]];

export function Display() {
  const percent = Math.round(state.opacity.value * 100);
  return (
    <section class="display" aria-label="Display">
      <h2>Display</h2>
      <div class="row">
        <span class="segments" role="group" aria-label="Labels as">
          {STYLES.map(([style, name]) => (
            <Button key={style} name={name} keyId="outline" pressed={state.maskStyle.value === style} onClick={() => (state.maskStyle.value = style)}>{name}</Button>
          ))}
        </span>
        <label class="slider">
          <input type="range" min="5" max="100" step="5" value={percent} aria-label="Opacity" title={`Opacity, ${percent} %`}
            onInput={(event) => (state.opacity.value = Number(event.currentTarget.value) / 100)} />
          <output>{percent} %</output>
        </label>
      </div>
      <div class="row">
        <Button name="Labels" keyId="labels" pressed={state.labelsShown.value} onClick={() => (state.labelsShown.value = !state.labelsShown.value)}>Labels</Button>
        <Button name="Uncertainty" keyId="uncertainty" pressed={state.uncertaintyShown.value}
          onClick={() => (state.uncertaintyShown.value = !state.uncertaintyShown.value)}>Uncertainty</Button>
      </div>
    </section>
  );
}
