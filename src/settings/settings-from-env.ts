import { unknownSetting } from './nearest-name.js';
import { resolveSettings, type Settings, type SettingsInput, type SettingsOwner, settingNames } from './settings.js';
import { type SettingFault, SettingsError } from './settings-error.js';

const PREFIX = 'JWT_ALLAUTH_';

/** The environment variable of a setting, such as `JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE` for `refreshTokenAsCookie`. */
export function variableOf(property: string): string {
  return PREFIX + property.replace(/[A-Z]/g, '_$&').toUpperCase();
}

/**
 * Reads the settings from `JWT_ALLAUTH_*` variables. Unknown variables, empty ones and values that do not parse are
 * faults; the library never replaces them by defaults. NODE_ENV `development` and `test` allow insecure cookies. Any
 * other value, or none, means production.
 *
 * @param env usually `process.env`. Only the library's command line reads its settings from there by itself
 * @param modules the app's modules, for the variables of their settings
 * @throws SettingsError with all faults, by variable name
 */
export function settingsFromEnv(
  env: Readonly<Record<string, string | undefined>>,
  modules: readonly SettingsOwner[] = [],
): Settings {
  const configurable = settingNames(modules).filter((property) => property !== 'development');
  const properties = new Map(configurable.map((property) => [variableOf(property), property]));
  const input: Record<string, unknown> = { development: env.NODE_ENV === 'development' || env.NODE_ENV === 'test' };
  const faults: SettingFault[] = [];
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || value === undefined) continue;
    const property = properties.get(variable);
    if (!property) {
      faults.push({ setting: variable, message: unknownSetting(variable, [...properties.keys()]) });
    } else if (value.trim() === '') {
      faults.push({ setting: variable, message: 'is empty; set a value, or unset the variable to use the default' });
    } else {
      input[property] = value;
    }
  }
  return resolveWith(faults, input, modules);
}

/** Resolves the settings. Reports the earlier faults, and the new ones of other settings. */
function resolveWith(
  faults: readonly SettingFault[],
  input: SettingsInput,
  modules: readonly SettingsOwner[],
): Settings {
  try {
    const settings = resolveSettings(input, variableOf, modules);
    if (faults.length === 0) return settings;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const reported = faults.map(({ setting }) => setting);
    throw new SettingsError([...faults, ...error.faults.filter(({ setting }) => !reported.includes(setting))]);
  }
  throw new SettingsError(faults);
}
