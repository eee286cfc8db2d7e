import { render } from "preact";
import { App } from "./App";
import { listenToKeys } from "./keys";
import { scan, unsent } from "./state";
import { effect } from "@preact/signals";
import "./style/base.css";
import "./style/layout.css";
import "./style/panels.css";

listenToKeys();
effect(() => {
  document.title = scan.value ? `${scan.value.name} – ivos` : "ivos";
});
window.addEventListener("beforeunload", (event) => {
  if (unsent.value > 0) event.preventDefault(); // something drawn has not reached the server
});
render(<App />, document.getElementById("app")!);
