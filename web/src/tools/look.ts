import type { Tool } from "./tool";

/** No tool: the pointer moves the picture and the planes (see viewer/pointer.ts). */
export class Look implements Tool {
  down(): void {}
  move(): void {}
  up(): void {}
  hover(): void {}
  cancel(): boolean {
    return false;
  }
  finish(): boolean {
    return false;
  }
  paint(): void {}
}
