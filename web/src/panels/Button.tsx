import type { ComponentChildren } from "preact";
import { chordFor } from "../keys";
import { Icon, type IconName } from "./Icon";

interface Props {
  /** What it is called, for a person and for a screen reader. */
  name: string;
  /** The entry of the table of keys that does the same. */
  keyId?: string;
  icon?: IconName;
  pressed?: boolean;
  disabled?: boolean;
  class?: string;
  children?: ComponentChildren;
  onClick(): void;
}

/** A button whose tooltip names its key. */
export function Button({ name, keyId, icon, pressed, disabled, class: style, children, onClick }: Props) {
  const chord = keyId ? chordFor(keyId) : "";
  return (
    <button
      type="button"
      class={style}
      aria-label={name}
      aria-pressed={pressed}
      aria-keyshortcuts={chord || undefined}
      title={chord ? `${name} (${chord})` : name}
      disabled={disabled}
      onClick={onClick}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}
