import { readFileSync } from 'node:fs';
import { type Algorithm, isAlgorithm, isHmac, SECRET_BYTES } from './algorithm.js';
import { readPrivateKey, readSecret, readVerifyingKeys } from './key-material.js';
import { type SettingFault, SettingsError } from './settings-error.js';

/** The settings of keys as the app set them. The rules of `KeySettings` check that each is a string. */
interface GivenKeys {
  readonly algorithm?: unknown;
  readonly secretKey?: unknown;
  readonly privateKey?: unknown;
  readonly privateKeyFile?: unknown;
  readonly verifyingKeys?: unknown;
  readonly verifyingKeysFile?: unknown;
}

/** A setting that contains keys, and its text: undefined if it is not set, null if its value is unusable. */
interface Source {
  readonly setting: keyof GivenKeys;
  readonly text: string | null | undefined;
}

/**
 * Reads each key file once, and checks the keys that sign and verify tokens.
 *
 * @returns the settings, with the content of each file in place of its name, and the faults of these keys by property
 */
export function resolveKeys<T extends GivenKeys>(given: T): { settings: T; faults: readonly SettingFault[] } {
  const faults: SettingFault[] = [];
  const privateKey = collect(faults, () => readSource(given, 'privateKey', 'privateKeyFile'));
  const verifyingKeys = collect(faults, () => readSource(given, 'verifyingKeys', 'verifyingKeysFile'));
  const { algorithm = 'HS256', secretKey = '' } = given;
  // Without a valid algorithm the required kind of key is unknown.
  if (isAlgorithm(algorithm)) {
    collect(faults, () => checkSecretKey(secretKey, algorithm));
    if (privateKey) collect(faults, () => checkPrivateKey(privateKey, algorithm));
    if (verifyingKeys) collect(faults, () => checkVerifyingKeys(verifyingKeys, algorithm));
  } else if (typeof secretKey === 'string' && secretKey) {
    collect(faults, () => readSecret(secretKey, 'HS256', 'secretKey'));
  }
  return { settings: { ...given, ...fromFile(privateKey), ...fromFile(verifyingKeys) }, faults };
}

function checkSecretKey(secret: unknown, algorithm: Algorithm): void {
  if (typeof secret !== 'string') return;
  if (!isHmac(algorithm)) {
    if (secret) throw unusedSetting('secretKey', algorithm);
    return;
  }
  const bytes = SECRET_BYTES[algorithm];
  if (!secret) throw fault('secretKey', `must be set, to at least ${bytes} bytes (RFC 7518 §3.2)`);
  readSecret(secret, algorithm, 'secretKey');
}

function checkPrivateKey({ text, setting }: Source, algorithm: Algorithm): void {
  if (isHmac(algorithm)) {
    if (text !== undefined) throw unusedSetting(setting, algorithm);
  } else if (text === undefined) {
    throw fault(setting, `must be set for ${algorithm}, here or as a file`);
  } else if (text !== null) {
    readPrivateKey(text, algorithm, setting);
  }
}

function checkVerifyingKeys({ text, setting }: Source, algorithm: Algorithm): void {
  if (typeof text === 'string') readVerifyingKeys(text, algorithm, setting);
}

function readSource(given: GivenKeys, inline: keyof GivenKeys, file: keyof GivenKeys): Source {
  const path = given[file];
  const setting = path === undefined ? inline : file;
  const value = given[setting];
  if (value === undefined) return { setting, text: undefined };
  if (typeof value !== 'string' || value.trim() === '') return { setting, text: null };
  if (setting === inline) return { setting, text: value };
  if (given[inline] !== undefined) throw fault(file, `is set together with {${inline}}: set one of them`);
  const text = readText(value, file);
  if (text.trim() === '') throw fault(file, 'is the path of an empty file');
  return { setting, text };
}

function readText(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'no reason given' } = error as NodeJS.ErrnoException;
    throw fault(setting, `is the path of a file that cannot be read: ${code}`);
  }
}

/** The content of a file as the value of the setting without `File` in its name, such as `privateKey`. */
function fromFile(source: Source | undefined): GivenKeys {
  if (!source?.setting.endsWith('File') || typeof source.text !== 'string') return {};
  return { [source.setting.slice(0, -'File'.length)]: source.text, [source.setting]: undefined };
}

/** Runs a check, and adds the faults that it throws to the list. */
function collect<T>(faults: SettingFault[], check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    faults.push(...error.faults);
    return undefined;
  }
}

/** A setting without effect is an error, because the operator may rely on it. */
function unusedSetting(setting: string, algorithm: Algorithm): SettingsError {
  return fault(setting, `is not used with ${algorithm}: unset it, or choose another {algorithm}`);
}

function fault(setting: string, message: string): SettingsError {
  return new SettingsError([{ setting, message }]);
}
