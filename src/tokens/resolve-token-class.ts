import { loadExport } from '../settings/module-export.js';
import type { Settings } from '../settings/settings.js';
import { SettingsError } from '../settings/settings-error.js';
import { variableOf } from '../settings/settings-from-env.js';
import { RefreshToken, type RefreshTokenClass } from './refresh-token.js';

/**
 * Loads the class of REFRESH_TOKEN: a class, or a `module#Export` that is resolved from `directory`.
 *
 * @throws SettingsError that says what was found instead
 */
export async function resolveTokenClass(
  setting: Settings['refreshToken'],
  directory: string,
): Promise<RefreshTokenClass> {
  if (setting === undefined) return RefreshToken;
  if (typeof setting !== 'string') return asTokenClass(setting, setting.name);
  const { name, value } = await loadExport(setting, directory, fault);
  return asTokenClass(value, name);
}

function asTokenClass(candidate: unknown, name: string): RefreshTokenClass {
  if (candidate === RefreshToken || (typeof candidate === 'function' && candidate.prototype instanceof RefreshToken)) {
    return candidate as RefreshTokenClass;
  }
  throw fault(`names ${name}, which is a ${typeof candidate} and not a class that extends RefreshToken of jwt-allauth`);
}

function fault(message: string): SettingsError {
  return new SettingsError([{ setting: variableOf('refreshToken'), message }]);
}
