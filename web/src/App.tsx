import { Display } from "./panels/Display";
import { Export, Import } from "./panels/Files";
import { Help } from "./panels/Help";
import { Hint } from "./panels/Hint";
import { Memory } from "./panels/Memory";
import { Propagation } from "./panels/Propagation";
import { Scans } from "./panels/Scans";
import { Status } from "./panels/Status";
import { Structures } from "./panels/Structures";
import { Timeline } from "./panels/Timeline";
import { Toolbar } from "./panels/Toolbar";
import { ToolOptions } from "./panels/ToolOptions";
import { TopBar } from "./panels/TopBar";
import { dialog } from "./state";
import { Viewer } from "./viewer/Viewer";

export function App() {
  return (
    <>
      <TopBar />
      <Toolbar />
      <main>
        <ToolOptions />
        <Viewer />
        <Hint />
        <Timeline />
      </main>
      <aside class="panels" aria-label="Panels">
        <Structures />
        <Propagation />
        <Display />
        <Memory />
      </aside>
      <Status />
      {dialog.value === "help" && <Help />}
      {dialog.value === "scans" && <Scans />}
      {dialog.value === "import" && <Import />}
      {dialog.value === "export" && <Export />}
    </>
  );
}
