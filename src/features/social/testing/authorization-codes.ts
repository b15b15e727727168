import { createHash, randomBytes } from 'node:crypto';
import type { TestProviderUser } from './test-provider-user.js';

/** What a user has authorized at the provider. */
export interface Grant {
  readonly user: TestProviderUser;
  /** The parameters of the authorization request. */
  readonly request: Readonly<Record<string, string>>;
}

/** The authorization codes of the provider. Each is good once, for the redirect URI and the verifier of its request. */
export class AuthorizationCodes {
  readonly #grants = new Map<string, Grant>();

  issue(grant: Grant): string {
    const code = randomBytes(24).toString('base64url');
    this.#grants.set(code, grant);
    return code;
  }

  /** The grant of a code; undefined if the code is unknown or used, or if the request does not match (RFC 7636). */
  redeem({ code = '', redirect_uri: uri, code_verifier: verifier = '' }: Record<string, string>): Grant | undefined {
    const grant = this.#grants.get(code);
    this.#grants.delete(code);
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    if (grant?.request['redirect_uri'] !== uri || grant?.request['code_challenge'] !== challenge) return undefined;
    return grant;
  }
}
