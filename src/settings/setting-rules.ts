import { Transform } from 'class-transformer';
import { ValidateBy, type ValidationArguments, type ValidationOptions } from 'class-validator';
import { parseDuration } from './duration.js';

/** Whether the value of a setting is allowed, given the other settings. */
export type Test<S = never> = (value: unknown, settings: S) => boolean;

/**
 * A rule for one setting: reports the message unless the test passes. `{property}` in the message stands for the name
 * of another setting.
 */
export function must<S = never>(
  message: string | ((value: unknown) => string),
  test: Test<S>,
  options?: ValidationOptions,
) {
  const validate = (value: unknown, args?: ValidationArguments) => test(value, args?.object as S);
  const defaultMessage = (args?: ValidationArguments) => (typeof message === 'string' ? message : message(args?.value));
  return ValidateBy(
    { name: typeof message === 'string' ? message : 'must', validator: { validate, defaultMessage } },
    options,
  );
}

/** Whether a value is a string that is not blank. */
const isText: Test = (value) => typeof value === 'string' && value.trim() !== '';
/**
 * Whether a value is a string that matches a pattern. An array is not a string, although `RegExp.test` would accept it.
 */
export const matches = (value: unknown, form: RegExp) => typeof value === 'string' && form.test(value);
/** A test that also passes for undefined. */
export const optional =
  <S = never>(test: Test<S>): Test<S> =>
  (value, settings) =>
    value === undefined || test(value, settings);
/** A text setting: not blank if it is set. */
export const Text = () => must('must be a text that is not empty', optional(isText));

const parseFlag = (value: unknown) => (value === 'true' ? true : value === 'false' ? false : value);
/** A boolean setting. Accepts `true` and `false` as text. */
export const Flag = () => (target: object, key: string) => {
  Transform(({ value }) => parseFlag(value))(target, key);
  must(
    'must be true or false',
    optional((value) => typeof value === 'boolean'),
  )(target, key);
};

/**
 * Maximum duration, in seconds. Much larger ones would lead to dates that JavaScript and PostgreSQL cannot represent.
 */
const CENTURY_SECONDS = 100 * 366 * 86_400;

/** A duration setting, with its minimum and maximum in seconds. */
export const Duration =
  (minimum: number, maximum = CENTURY_SECONDS) =>
  (target: object, key: string) => {
    Transform(({ value }) => parseDuration(value))(target, key);
    const atLeast = minimum > 0 ? `, at least ${minimum}s` : '';
    const atMost = maximum < CENTURY_SECONDS ? `, at most ${maximum / 60}m` : '';
    must(
      `must be a duration such as 30s, 15m, 12h or 14d${atLeast}${atMost}`,
      optional((value) => Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum),
    )(target, key);
  };

/** A setting that is a whole number, with a minimum. */
export const Count = (minimum: number) => (target: object, key: string) => {
  Transform(({ value }) => (matches(value, /^\d{1,9}$/) ? Number(value) : value))(target, key);
  must(
    `must be a whole number, at least ${minimum}`,
    optional((value) => Number.isSafeInteger(value) && (value as number) >= minimum),
  )(target, key);
};

/** Splits a comma-separated text. Returns any other value unchanged. */
export const parseList = (value: unknown) =>
  typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value;
/** Splits a comma-separated text into whole numbers. Other items stay unchanged: the validation refuses them. */
export const parseNumbers = (value: unknown) =>
  typeof value === 'string'
    ? value.split(',').map((item) => (/^\s*-?\d{1,9}\s*$/.test(item) ? Number(item) : item))
    : value;
/** Parses JSON. Invalid text stays unchanged: the validation refuses it. */
export const parseJson = (value: unknown) => {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};

/** Origins with the schemes of native apps and browser extensions. Pages of `file:` have the origin `null`. */
const APP_ORIGIN = /^(capacitor|ionic|tauri|app|chrome-extension|moz-extension|safari-web-extension):\/\/[\w.:-]+$/;

/** Whether a value is an origin as browsers send it: of a web page, or of an app such as `capacitor://localhost`. */
export function isOrigin(value: unknown): boolean {
  if (matches(value, APP_ORIGIN)) return true;
  return (
    matches(value, /^https?:\/\/[\w.:[\]-]+$/) && URL.canParse(String(value)) && new URL(String(value)).origin === value
  );
}

/** Whether a value is valid as the Path of a cookie. */
export const isCookiePath = (value: unknown) => matches(value, /^\/[!-:<-~]*$/);

/** Whether a value is valid as the Domain of a cookie. */
export const isCookieDomain = (value: unknown) =>
  matches(value, /^\.?[a-z\d]([a-z\d-]*[a-z\d])?(\.[a-z\d]([a-z\d-]*[a-z\d])?)*$/i);

/** Whether a value maps claim names to dotted paths. */
export function isAttributeMap(value: unknown): boolean {
  const isPlain = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isPlain && Object.values(value).every((path) => matches(path, /^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/));
}

/** A setting that is the URL of a page: http or https, without user name and password. */
export const Page = () =>
  must(
    'must be a URL such as https://app.example.com/welcome',
    optional((value) => {
      if (!matches(value, /^https?:\/\/[^\s]+$/) || !URL.canParse(String(value))) return false;
      const { username, password } = new URL(String(value));
      return username === '' && password === '';
    }),
  );
