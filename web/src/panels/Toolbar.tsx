import { tool, type ToolName } from "../state";
import { take } from "../tools/hand";
import { Button } from "./Button";

const TOOLS: [ToolName, string][] = [
  ["brush", "Brush"],
  ["eraser", "Eraser"],
  ["polygon", "Lasso"],
  ["scribble", "Scribble"],
  ["click", "Click"],
  ["box", "Box"],
  ["look", "Move"],
];

export function Toolbar() {
  return (
    <div class="toolbar" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      {TOOLS.map(([name, caption]) => (
        <Button key={name} name={caption} keyId={name} icon={name} pressed={tool.value === name} onClick={() => take(name)}>
          <span>{caption}</span>
        </Button>
      ))}
    </div>
  );
}
