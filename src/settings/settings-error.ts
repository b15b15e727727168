import { JwtAllauthError } from '../error.js';
import { ERRORS } from '../error-table.js';

/** Why the value of a setting is unusable. The message never shows the value of a secret setting. */
export interface SettingFault {
  /** The environment variable; the property if its value came as an object. */
  readonly setting: string;
  readonly message: string;
}

/** The settings are unusable. Thrown at start-up, with the faults that were found. */
export class SettingsError extends JwtAllauthError {
  constructor(readonly faults: readonly SettingFault[]) {
    const lines = faults.map(({ setting, message }) => `\n  ${setting} ${message}`);
    super('invalid_settings', { ...ERRORS.invalid_settings, detail: `The settings cannot be used:${lines.join('')}` });
    this.name = 'SettingsError';
    // Node prints the properties of an uncaught error after its message, which says everything already.
    for (const property of Object.keys(this)) Object.defineProperty(this, property, { enumerable: false });
  }
}
