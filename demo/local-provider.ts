import { startTestProvider, type TestProvider } from 'jwt-allauth/social/testing';

/** The port of the local provider is that of the demo and this number, if it is free. */
const DISTANCE = 1000;

/**
 * Starts an OpenID provider on this machine, so that a visitor can sign in with a provider without an account anywhere.
 * It has no passwords: use it only in development.
 *
 * @param demoPort 0 if any port is taken
 */
export async function startLocalProvider(demoPort: number): Promise<TestProvider> {
  const name = 'the local provider';
  const port = demoPort > 0 && demoPort + DISTANCE <= 65_535 ? demoPort + DISTANCE : 0;
  return startTestProvider({ name, port }).catch(() => startTestProvider({ name }));
}
