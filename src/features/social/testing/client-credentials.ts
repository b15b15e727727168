import { randomBytes } from 'node:crypto';

/** The id and the secret of the one client that a provider knows. */
export class ClientCredentials {
  readonly id = 'test-client';

  constructor(readonly secret = randomBytes(24).toString('base64url')) {}

  /** Whether a token request has them: `client_secret_basic` or `client_secret_post` (RFC 6749 §2.3.1). */
  areIn({ client_id: id, client_secret: secret }: Readonly<Record<string, string>>, authorization: string): boolean {
    const [, basic] = /^Basic (.+)$/i.exec(authorization) ?? [];
    const given = basic ? decodeURIComponent(Buffer.from(basic, 'base64').toString()) : `${id}:${secret}`;
    return given === `${this.id}:${this.secret}`;
  }
}
