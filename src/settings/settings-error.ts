import { JwtAllauthError } from '../error.js';
import { ERRORS } from '../error-table.js';

/**
 * One value of one setting that cannot be used, and why. The value is repeated only where it is a path of
 * REFRESH_TOKEN.
 */
export interface SettingFault {
  /** The environment variable, or the property when the settings came as an object. */
  readonly setting: string;
  readonly message: string;
}

/** Raised at start-up with every fault at once. */
export class SettingsError extends JwtAllauthError {
  constructor(readonly faults: readonly SettingFault[]) {
    const lines = faults.map(({ setting, message }) => `\n  ${setting} ${message}`);
    super('invalid_settings', { ...ERRORS.invalid_settings, detail: `The settings cannot be used:${lines.join('')}` });
    this.name = 'SettingsError';
  }
}
