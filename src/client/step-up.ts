import type { ClientCalls, ReasonToRepeat } from '../client-calls.js';
import { reauthenticationMethods } from '../features/reauthentication/reauthentication.client.js';
import { errorOf } from './answer.js';
import type { AuthError } from './auth-error.js';

/**
 * The codes that require a proof. They are needed besides the header `WWW-Authenticate`, because pages of other origins
 * may not be allowed to read it.
 */
const CODES = ['reauthentication_required', 'second_factor_required'];

/** What the server requires of the signed-in user: a newer or a stronger proof (RFC 9470). */
export interface RequiredProof {
  /** `reauthentication_required` or `second_factor_required`; another code only if another server answered. */
  readonly code: AuthError['code'];
  readonly message: string;
  /** How old the proof may be, in seconds; undefined if the server does not say it or the page may not read it. */
  readonly maxAge: number | undefined;
}

/**
 * Asks the user for a proof, and passes it to `auth.reauthenticate`. If it returns true, the request is repeated once.
 * If it returns false, the caller of the request gets the 401. If it throws, the request rejects with that error.
 *
 * Requests that are refused meanwhile wait for the same result. So do not wait here for a request that may be refused
 * too.
 */
export type AskForProof<Client extends ClientCalls> = (
  required: RequiredProof,
  auth: Client & ReturnType<typeof reauthenticationMethods>,
) => boolean | Promise<boolean>;

/**
 * Adds `reauthenticate`, and repeats a request that needs a newer or stronger proof after the user has given it:
 * `new AuthClient().extend(stepUp(async (required, auth) => …))`.
 */
export const stepUp =
  <Client extends ClientCalls>(ask: AskForProof<Client>) =>
  (client: Client) => {
    const methods = reauthenticationMethods(client);
    const auth = Object.assign(client, methods);
    let running: Promise<boolean> | undefined;

    const askIfRequired: ReasonToRepeat = async (answer, request, sent) => {
      const required = await requiredBy(answer);
      // A refused proof is not a reason to ask for one.
      if (!required || request.url.endsWith('/reauthenticate')) return false;
      // A parallel request or another tab was first.
      if (client.state.claims?.auth_time !== sent.auth_time) return true;
      running ??= (async () => ask(required, auth))().finally(() => {
        running = undefined;
      });
      return running;
    };
    client.reasonsToRepeat.push(askIfRequired);
    return methods;
  };

/** What a 401 requires of the user; undefined if it is about anything else. */
async function requiredBy(answer: Response): Promise<RequiredProof | undefined> {
  const header = answer.headers.get('WWW-Authenticate') ?? '';
  const { code, message, challenge } = await errorOf(answer);
  if (!header.includes('insufficient_user_authentication') && (challenge || !CODES.includes(code))) return undefined;
  const [, seconds] = /max_age="?(\d+)/.exec(header) ?? [];
  return { code, message, maxAge: seconds === undefined ? undefined : Number(seconds) };
}
