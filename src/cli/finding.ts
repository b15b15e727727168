import type { CheckResult } from '../module-command.js';

/** The result of one check, with its name. */
export interface Finding extends CheckResult {
  readonly name: string;
}
