import { inspect } from 'node:util';
import { plainToInstance, Transform } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { AccountSettings } from './account-settings.js';
import { withTransport } from './cookie-settings.js';
import { resolveKeys } from './key-rules.js';
import { unknownSetting } from './nearest-name.js';
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
 * All settings of the library, with their defaults. `docs/settings.md` describes each. Durations are whole seconds
 * here. The environment has them as text such as `15m`; an app can give either form.
 */
export class Settings extends AccountSettings {
  /** True on a developer's machine and in tests: allows insecure cookies and http. False: production. */
  @Flag()
  readonly development: boolean = false;

  /** The app's subclass of RefreshToken, or a `module#Export` that is resolved from the working directory. */
  @must(
    tokenClassFault,
    optional((value) => typeof value === 'function' || matches(value, /^.+#[A-Za-z_$][\w$]*$/)),
  )
  readonly refreshToken?: string | (new (...args: never[]) => object) = undefined;

  /** The `iss` claim of all tokens. If it is set, tokens with another `iss` are refused. */
  @Text()
  readonly issuer?: string = undefined;

  /** The `aud` claim of all tokens. If it is set, tokens with another `aud` are refused. */
  @Text()
  readonly audience?: string = undefined;

  /** Claims that are copied from the user: claim name to dotted path, such as `organization.id`. */
  @Transform(({ value }) => parseJson(value))
  @must('must be a JSON object of claim names and dotted paths', isAttributeMap)
  readonly userAttributes: Readonly<Record<string, string>> = {};

  /** Whether a password change needs the old password. */
  @Flag()
  readonly oldPasswordFieldEnabled: boolean = true;

  /** Minimum length of a new password, in characters after normalisation (NFKC). */
  @Count(8)
  @must('must be at most 64, so that people can choose a password', (value) => !((value as number) > 64))
  readonly passwordMinLength: number = 8;

  /**
   * Whether events are also stored in the table `auth_audit_event`, in the same transaction as the change. Events that
   * strangers can cause without limit are not stored.
   */
  @Flag()
  readonly auditLog: boolean = false;

  /** Other origins from which browsers may send the refresh cookie. The app's own origin is always allowed. */
  @Transform(({ value }) => parseList(value))
  @must(
    'must be origins such as https://app.example.com, separated by commas',
    (value) => Array.isArray(value) && value.every(isOrigin),
  )
  readonly trustedOrigins: readonly string[] = [];

  /** Limits of failed logins. An empty list: no limit. */
  @Transform(({ value }) => parseRateLimits(value))
  @must('must be off or limits such as 10/15m/account+ip,100/15m/ip,100/1h/account', isListOfLimits)
  readonly loginRateLimit: readonly RateLimit[] = [
    { count: 10, seconds: 900, scope: 'account+ip' },
    { count: 100, seconds: 900, scope: 'ip' },
    { count: 100, seconds: 3600, scope: 'account' },
  ];

  /** Hides secrets from `util.inspect` and `console.log`. */
  [inspect.custom](): object {
    return this.toJSON();
  }

  /** The settings without secrets. Hides all settings of modules as well. */
  toJSON(): object {
    const hide = (key: unknown) => key && '[redacted]';
    const { secretKey, privateKey, verifyingKeys, encryptionKeys, smtpUrl, listenUrl } = this;
    const hidden = { secretKey: hide(secretKey), privateKey: hide(privateKey), verifyingKeys: hide(verifyingKeys) };
    const ofModules = Object.entries(this).filter(([name]) => !CORE_NAMES.includes(name));
    return {
      ...Object.fromEntries(Object.entries(this)), // without the symbol that has the names
      ...hidden,
      encryptionKeys: encryptionKeys.map(hide),
      smtpUrl: hide(smtpUrl),
      listenUrl: hide(listenUrl),
      // The library does not know which settings of a module are secret.
      ...Object.fromEntries(ofModules.map(([name, value]) => [name, hide(value)])),
    };
  }
}

/** The names of the library's own settings, without those of modules. */
const CORE_NAMES: readonly string[] = Object.keys(new Settings());

/** The message about a setting that `settingsFromEnv` knew, because it got a module that the ORM does not know. */
const OF_UNKNOWN_MODULE = 'is of a module that the ORM does not know: pass the same `modules` to createAuthEntities';

/** The part of a module that concerns settings. */
export interface SettingsOwner {
  readonly name: string;
  readonly settings?: new () => object;
}

/**
 * The settings of modules, by name. A module adds its own by declaration merging, so that TypeScript accepts them in a
 * settings object.
 */
// biome-ignore lint/suspicious/noEmptyInterface: only modules have members for it
export interface ModuleSettings {}

/**
 * Settings as an app gives them: any subset. A value that is not a string may also be the text that the environment
 * variable would have. A setting that is missing or undefined gets its default.
 */
export type SettingsInput = {
  readonly [K in keyof Settings as Settings[K] extends (...args: never[]) => unknown ? never : K]?:
    | Settings[K]
    | (NonNullable<Settings[K]> extends string ? never : string);
} & Partial<ModuleSettings>;

/**
 * Shows the received value if it has only characters of a path, because a path is not secret. In a `.env` file an
 * unquoted `#` starts a comment.
 */
function tokenClassFault(value: unknown): string {
  const received = matches(value, /^[\w.:@/\\-]+$/)
    ? `, but is ${JSON.stringify(value)}; in a .env file a # needs quotes`
    : '';
  return `must be a class or module#Export${received}`;
}

/**
 * Checks the settings and fills in the defaults. The result also has the settings of modules, as further properties.
 *
 * @param nameOf maps a property to its name in fault messages. Default: as these settings were named before, else the
 *   property
 * @throws SettingsError with all faults; TypeError if two modules have a setting of the same name
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
    validate(Settings, keys.settings),
    ...owners.map((owner) =>
      validate(owner.type, Object.fromEntries(given.filter(([name]) => ofModule(name) === owner))),
    ),
  ];
  const known = [...CORE_NAMES, ...owners.flatMap(({ names }) => names)];
  const errors = parts.flatMap((part) => part.errors);
  const keyFaults = keys.faults.map(({ setting, message }) => faultOf(setting, message, nameOf));
  const isFromSource = (name: string) => namesOf(input)(name) !== name;
  const unknown = (name: string) => (isFromSource(name) ? OF_UNKNOWN_MODULE : unknownSetting(name, known, nameOf));
  const faults = [...errors.map((error) => toFault(error, known, { nameOf, unknown })), ...keyFaults];
  if (faults.length > 0) throw new SettingsError(faults);
  const settings = Object.assign(...(parts.map((part) => part.settings) as [Settings, ...object[]])) as Settings;
  rememberNames(settings, nameOf);
  return settings;
}

/** The settings of one module, as an instance of its settings class. An empty object if it has no such class. */
export function settingsOf<S extends object>(module: { readonly settings?: new () => S }, settings: Settings): S {
  const own = module.settings ? new module.settings() : ({} as S);
  for (const name of Object.keys(own) as (keyof S)[]) own[name] = (settings as unknown as S)[name];
  return own;
}

/** The names of all settings: the library's and those of modules. */
export function settingNames(modules: readonly SettingsOwner[] = []): readonly string[] {
  return [...CORE_NAMES, ...ownersOf(modules).flatMap(({ names }) => names)];
}

function ownersOf(modules: readonly SettingsOwner[]) {
  const taken = new Set(CORE_NAMES);
  return modules.flatMap(({ name, settings: type }) => {
    if (!type) return [];
    const names = Object.keys(new type());
    const double = names.find((each) => taken.has(each));
    if (double) throw new TypeError(`module ${name}: the setting ${double} exists already`);
    for (const each of names) taken.add(each);
    return [{ type, names }];
  });
}

function validate(type: new () => object, input: object) {
  const settings = plainToInstance(type, input, { exposeDefaultValues: true, exposeUnsetFields: false });
  const rules = { whitelist: true, forbidNonWhitelisted: true, validationError: { value: false } };
  return { settings, errors: validateSync(settings, rules) };
}

function toFault(
  { property, constraints = {} }: ValidationError,
  known: readonly string[],
  { nameOf, unknown }: { readonly nameOf: NameOf; readonly unknown: (property: string) => string },
): SettingFault {
  const message = known.includes(property) ? Object.values(constraints).join('; ') : unknown(property);
  return faultOf(property, message, nameOf);
}

/** A fault in which all settings have the names that the operator used. */
function faultOf(property: string, message: string, nameOf: NameOf): SettingFault {
  return { setting: nameOf(property), message: withNames(message, nameOf) };
}
