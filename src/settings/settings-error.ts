import { JwtAllauthError } from '../error.js';
import { ERRORS } from '../error-table.js';

/** Why the value of a setting is unusable. The message never shows the value of a secret setting. */
export interface SettingFault {
  /**
   * The environment variable; the property if the settings came as an object. Faults that only the class of
   * REFRESH_TOKEN or the user entity shows always have the variable.
   */
  readonly setting: string;
  readonly message: string;
}

/** The settings are unusable. Thrown at start-up, with the faults that were found. */
export class SettingsError extends JwtAllauthError {
  constructor(readonly faults: readonly SettingFault[]) {
    const lines = faults.map(({ setting, message }) => `\n  ${setting} ${message}`);
    super('invalid_settings', { ...ERRORS.invalid_settings, detail: `The settings cannot be used:${lines.join('')}` });
    this.name = 'SettingsError';
  }
}
