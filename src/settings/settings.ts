import { inspect } from 'node:util';
import { plainToInstance, Transform } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { closestMatch } from 'leven';
import { AccountSettings } from './account-settings.js';
import { withTransport } from './cookie-settings.js';
import { resolveKeys } from './key-rules.js';
import { isListOfLimits, parseRateLimits, type RateLimit } from './rate-limit.js';
import { type NameOf, namesOf, rememberNames, withNames } from './setting-names.js';
import {
  Count,
  Flag,
  isAttributeMap,
  isOrigin,
  matches,
  must,
  optional,
  parseJson,
  parseList,
  Text,
} from './setting-rules.js';
import { type SettingFault, SettingsError } from './settings-error.js';

/**
 * Everything that an operator can choose, typed and with its defaults. The README's table has a row for each. Durations
 * are whole seconds here; a string such as `15m` is understood wherever settings are given.
 */
export class Settings extends AccountSettings {
  /**
   * True on a developer's machine and in tests. It allows cookies that a network attacker could read; anything else
   * counts as production.
   */
  @Flag()
  readonly development: boolean = false;

  /** The app's RefreshToken subclass, or `module#Export` resolved from the working directory. */
  @must(
    tokenClassFault,
    optional((value) => typeof value === 'function' || matches(value, /^.+#[A-Za-z_$][\w$]*$/)),
  )
  readonly refreshToken?: string | (new (...args: never[]) => object) = undefined;

  /** `iss` of every token; checked when set. */
  @Text()
  readonly issuer?: string = undefined;

  /** `aud` of every token; checked when set. */
  @Text()
  readonly audience?: string = undefined;

  /** Claim name to dotted path on the user. */
  @Transform(({ value }) => parseJson(value))
  @must('must be a JSON object of claim names and dotted paths', isAttributeMap)
  readonly userAttributes: Readonly<Record<string, string>> = {};

  /** Whether changing the password asks for the old one. */
  @Flag()
  readonly oldPasswordFieldEnabled: boolean = true;

  /** Characters that a new password has at least, once it was normalised (NFKC). */
  @Count(8)
  @must('must be at most 64, so that people can choose a password', (value) => !((value as number) > 64))
  readonly passwordMinLength: number = 8;

  /** Whether events are also written to the table `auth_audit_event`, in the transaction of what they tell of. */
  @Flag()
  readonly auditLog: boolean = false;

  /** Origins beside the own one from which browsers may send the refresh cookie. */
  @Transform(({ value }) => parseList(value))
  @must(
    'must be origins such as https://app.example.com, separated by commas',
    (value) => Array.isArray(value) && value.every(isOrigin),
  )
  readonly trustedOrigins: readonly string[] = [];

  /** How many failed logins are let through; an empty list: any number. */
  @Transform(({ value }) => parseRateLimits(value))
  @must('must be off or limits such as 10/15m/account+ip,100/15m/ip,100/1h/account', isListOfLimits)
  readonly loginRateLimit: readonly RateLimit[] = [
    { count: 10, seconds: 900, scope: 'account+ip' },
    { count: 100, seconds: 900, scope: 'ip' },
    { count: 100, seconds: 3600, scope: 'account' },
  ];

  /** Without the keys, however it is printed. */
  [inspect.custom](): object {
    return this.toJSON();
  }

  /** Without the keys, and without the values of modules' settings. */
  toJSON(): object {
    const hide = (key: unknown) => key && '[redacted]';
    const { secretKey, privateKey, verifyingKeys, encryptionKeys, smtpUrl } = this;
    const hidden = { secretKey: hide(secretKey), privateKey: hide(privateKey), verifyingKeys: hide(verifyingKeys) };
    const ofModules = Object.entries(this).filter(([name]) => !CORE_NAMES.includes(name));
    return {
      ...this,
      ...hidden,
      encryptionKeys: encryptionKeys.map(hide),
      smtpUrl: hide(smtpUrl),
      // Only a module knows which of its settings are secret.
      ...Object.fromEntries(ofModules.map(([name, value]) => [name, hide(value)])),
    };
  }
}

/** The names of the settings that do not belong to a module. */
const CORE_NAMES: readonly string[] = Object.keys(new Settings());

/** A module, as far as its settings go. */
export interface SettingsOwner {
  readonly name: string;
  readonly settings?: new () => object;
}

/**
 * The settings of modules by name. A module adds its own by declaring this interface again, so that an app can give
 * them in an object.
 */
// biome-ignore lint/suspicious/noEmptyInterface: only modules have members for it
export interface ModuleSettings {}

/**
 * What an app may give: any subset, and what is no text also as the text that a variable would have. Everything left
 * out, or undefined, has its default.
 */
export type SettingsInput = {
  readonly [K in keyof Settings as Settings[K] extends (...args: never[]) => unknown ? never : K]?:
    | Settings[K]
    | (NonNullable<Settings[K]> extends string ? never : string);
} & Partial<ModuleSettings>;

/** Says what was received where that is a path, which is no secret: in a `.env` file `#` begins a comment. */
function tokenClassFault(value: unknown): string {
  const received = matches(value, /^[\w.:@/\\-]+$/)
    ? `, and is ${JSON.stringify(value)}; in a .env file # needs quotes`
    : '';
  return `must be a class or module#Export${received}`;
}

/**
 * The settings with their defaults, checked. Those of modules stand beside ours, under their own names.
 *
 * @param nameOf gives the name under which a fault is reported; default: the one it was given under before, else the
 *   property
 * @throws SettingsError with every fault; TypeError for modules that have a setting of the same name
 */
export function resolveSettings(
  input: SettingsInput | Settings,
  nameOf: NameOf = namesOf(input),
  modules: readonly SettingsOwner[] = [],
): Settings {
  const owners = ownersOf(modules);
  const given = Object.entries(input);
  const ofModule = (name: string) => owners.find((owner) => owner.names.includes(name));
  const keys = resolveKeys(withTransport(Object.fromEntries(given.filter(([name]) => !ofModule(name)))));
  const parts = [
    checked(Settings, keys.settings),
    ...owners.map((owner) =>
      checked(owner.type, Object.fromEntries(given.filter(([name]) => ofModule(name) === owner))),
    ),
  ];
  const known = [...CORE_NAMES, ...owners.flatMap(({ names }) => names)];
  const errors = parts.flatMap((part) => part.errors);
  const keyFaults = keys.faults.map(({ setting, message }) => named(setting, message, nameOf));
  const faults = [...errors.map((error) => toFault(error, known, nameOf)), ...keyFaults];
  if (faults.length > 0) throw new SettingsError(faults);
  const settings = Object.assign(...(parts.map((part) => part.settings) as [Settings, ...object[]])) as Settings;
  rememberNames(settings, nameOf);
  return settings;
}

/** The settings of one module, as an instance of its class. */
export function settingsOf<S extends object>(module: { readonly settings?: new () => S }, settings: Settings): S {
  const own = module.settings ? new module.settings() : ({} as S);
  for (const name of Object.keys(own) as (keyof S)[]) own[name] = (settings as unknown as S)[name];
  return own;
}

/** All names of settings: ours, and those of modules. */
export function settingNames(modules: readonly SettingsOwner[] = []): readonly string[] {
  return [...CORE_NAMES, ...ownersOf(modules).flatMap(({ names }) => names)];
}

function ownersOf(modules: readonly SettingsOwner[]) {
  const taken = new Set(CORE_NAMES);
  return modules.flatMap(({ name, settings: type }) => {
    if (!type) return [];
    const names = Object.keys(new type());
    const double = names.find((each) => taken.has(each));
    if (double) throw new TypeError(`module ${name}: there is a setting ${double} already`);
    for (const each of names) taken.add(each);
    return [{ type, names }];
  });
}

function checked(type: new () => object, input: object) {
  const settings = plainToInstance(type, input, { exposeDefaultValues: true, exposeUnsetFields: false });
  const rules = { whitelist: true, forbidNonWhitelisted: true, validationError: { value: false } };
  return { settings, errors: validateSync(settings, rules) };
}

function toFault(
  { property, constraints = {} }: ValidationError,
  known: readonly string[],
  nameOf: NameOf,
): SettingFault {
  const message = known.includes(property)
    ? Object.values(constraints).join('; ')
    : `is not a setting; the nearest name is ${nameOf(closestMatch(property, known) ?? '')}`;
  return named(property, message, nameOf);
}

/** A fault that names every setting as it was typed. */
function named(property: string, message: string, nameOf: NameOf): SettingFault {
  return { setting: nameOf(property), message: withNames(message, nameOf) };
}
