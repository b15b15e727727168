import type { Estimate } from './statistics.js';

/** A measured value with its target. */
export interface Verdict {
  readonly what: string;
  readonly measured: string;
  readonly target: string;
  readonly isMet: boolean;
  /** The ratio for the plot, if the value is one. */
  readonly ratio?: Estimate & { readonly least: number };
}

/** A part of the result page. */
export interface Section {
  readonly id: string;
  readonly title: string;
  /** Markdown. */
  readonly lines: readonly string[];
  readonly verdicts: readonly Verdict[];
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

/** A verdict on a value that must not exceed a limit. */
export function atMost(what: string, value: number, most: number, unit: string): Verdict {
  return { what, measured: `${value.toFixed(1)} ${unit}`, target: `at most ${most} ${unit}`, isMet: value <= most };
}

/** A verdict on a value that must reach a minimum. */
export function atLeast(what: string, value: number, least: number, unit: string): Verdict {
  return { what, measured: `${value.toFixed(1)} ${unit}`, target: `at least ${least} ${unit}`, isMet: value >= least };
}
