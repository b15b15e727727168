import { closestMatch } from 'leven';
import { resolveSettings, type Settings, type SettingsInput, type SettingsOwner, settingNames } from './settings.js';
import { type SettingFault, SettingsError } from './settings-error.js';

const PREFIX = 'JWT_ALLAUTH_';

/** `refreshTokenAsCookie` is set by `JWT_ALLAUTH_REFRESH_TOKEN_AS_COOKIE`, and so on for every setting. */
export function variableOf(property: string): string {
  return PREFIX + property.replace(/[A-Z]/g, '_$&').toUpperCase();
}

/**
 * Reads the settings from `JWT_ALLAUTH_*` variables, strictly: what cannot be understood is a fault, never a default.
 * NODE_ENV `development` and `test` allow insecure cookies; any other value, and none, counts as production.
 *
 * @param env usually `process.env`, which the library itself never touches
 * @param modules the app's modules, whose settings have variables as well
 * @throws SettingsError with every fault, by variable name
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
      const nearest = closestMatch(variable, [...properties.keys()]);
      faults.push({ setting: variable, message: `is not a setting; the nearest name is ${nearest}` });
    } else if (value.trim() === '') {
      faults.push({ setting: variable, message: 'is empty; give it a value, or unset it to have the default' });
    } else {
      input[property] = value;
    }
  }
  return resolveWith(faults, input, modules);
}

/** Resolves the settings, with the faults found so far beside its own. */
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
    const empty = faults.map(({ setting }) => setting);
    throw new SettingsError([...faults, ...error.faults.filter(({ setting }) => !empty.includes(setting))]);
  }
  throw new SettingsError(faults);
}
