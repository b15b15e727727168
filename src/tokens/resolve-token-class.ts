import { createRequire } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Settings } from '../settings/settings.js';
import { SettingsError } from '../settings/settings-error.js';
import { variableOf } from '../settings/settings-from-env.js';
import { RefreshToken, type RefreshTokenClass } from './refresh-token.js';

/**
 * The class that REFRESH_TOKEN names: itself, or `module#Export` resolved from the working directory.
 *
 * @throws SettingsError that says what was found instead
 */
export async function resolveTokenClass(
  setting: Settings['refreshToken'],
  directory: string,
): Promise<RefreshTokenClass> {
  if (setting === undefined) return RefreshToken;
  if (typeof setting !== 'string') return asTokenClass(setting, setting.name);
  const [specifier = '', name = ''] = setting.split(/#(?=[^#]*$)/);
  const found: Record<string, unknown> = await import(urlOf(specifier, directory)).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : 'it throws something that is no error';
    throw fault(`names the module ${specifier}, which cannot be loaded: ${reason}`);
  });
  if (!(name in found)) {
    const exported = Object.keys(found).join(', ') || 'nothing';
    throw fault(`names ${name}, but ${specifier} exports ${exported}`);
  }
  return asTokenClass(found[name], name);
}

function urlOf(specifier: string, directory: string): string {
  if (specifier.startsWith('.') || isAbsolute(specifier)) return pathToFileURL(resolve(directory, specifier)).href;
  try {
    return pathToFileURL(createRequire(join(directory, 'package.json')).resolve(specifier)).href;
  } catch {
    throw fault(`names the module ${specifier}, which is not installed`);
  }
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
