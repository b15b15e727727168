import { JwtAllauthError } from '../../error.js';
import { socialError } from './social-errors.js';

/** How many causes of an error are looked at. */
const MAX_DEPTH = 6;

/** Names of errors of a request that took too long. */
const TIMEOUTS = ['TimeoutError', 'AbortError'];

/** The form of the error codes of OAuth and openid-client. Other texts of a provider are not logged. */
const CODE = /^[A-Za-z_]{1,64}$/;

/** An error and its causes. */
function chainOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let each = error; each instanceof Error && chain.length < MAX_DEPTH; each = each.cause) chain.push(each);
  return chain;
}

/**
 * The error of the library for an error of openid-client. A provider that does not answer is `provider_unavailable`. An
 * answer that is refused is `provider_refused`.
 */
export function toSocialError(error: unknown): JwtAllauthError {
  const chain = chainOf(error);
  const own = chain.find((each) => each instanceof JwtAllauthError);
  if (own) return own;
  const isLate = chain.some(({ name }) => TIMEOUTS.includes(name));
  return socialError(isLate ? 'provider_unavailable' : 'provider_refused', { cause: error });
}

/**
 * Why a provider was refused, for the log: the codes of openid-client and of the provider. Contains no description of
 * the provider, no claim and no token.
 */
export function causesInWords(error: unknown): string[] {
  const words = chainOf(error).flatMap((each) => {
    const { code, error: ofProvider } = each as Error & Readonly<Record<string, unknown>>;
    // The messages of openid-client are constant texts, and those of Node name host and port.
    const message = each instanceof JwtAllauthError ? each.code : messageOf(each);
    return [message, code, ofProvider];
  });
  return [
    ...new Set(words.filter((word, index) => typeof word === 'string' && (index % 3 === 0 || CODE.test(word)))),
  ] as string[];
}

/** The message of an error. That of a text that is not JSON has the start of the text, which may be a token. */
function messageOf(error: Error): string {
  return error instanceof SyntaxError ? 'not JSON' : error.message.slice(0, 120);
}
