import { loadExport } from '../settings/module-export.js';
import { namesOf } from '../settings/setting-names.js';
import type { Settings } from '../settings/settings.js';
import { SettingsError } from '../settings/settings-error.js';
import { RefreshToken, type RefreshTokenClass } from './refresh-token.js';

/**
 * Loads the class of REFRESH_TOKEN: a class, or a `module#Export` that is resolved from `directory`.
 *
 * @throws SettingsError that says what was found instead
 */
export async function resolveTokenClass(
  settings: Pick<Settings, 'refreshToken'>,
  directory: string,
): Promise<RefreshTokenClass> {
  const { refreshToken: given } = settings;
  const setting = namesOf(settings)('refreshToken');
  const fault = (message: string) => new SettingsError([{ setting, message }]);
  if (given === undefined) return RefreshToken;
  if (typeof given !== 'string') return asTokenClass(given, given.name, fault);
  const { name, value } = await loadExport(given, directory, fault);
  return asTokenClass(value, name, fault);
}

function asTokenClass(candidate: unknown, name: string, fault: (message: string) => SettingsError): RefreshTokenClass {
  if (candidate === RefreshToken || (typeof candidate === 'function' && candidate.prototype instanceof RefreshToken)) {
    return candidate as RefreshTokenClass;
  }
  throw fault(`names ${name}, which is a ${typeof candidate} and not a class that extends RefreshToken of jwt-allauth`);
}
