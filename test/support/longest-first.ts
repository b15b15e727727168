import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The slowest files. Vitest would sort a fresh checkout by size, and end with one of these alone. */
const LONGEST = [
  'sessions/rotation-races',
  'docs/snippets',
  'docs/deploying',
  'cli/cli',
  'client/client',
  'sign-in/owner-lockout',
  'features/totp/totp-races',
  'features/password/login-races',
  'testing/testing-processes',
  'sessions/rotation-processes',
  'sessions/revocation-list',
  'tokens/one-time-keys-processes',
  'demo',
  'sessions/revocation-channels',
  'tokens/keys',
  'cli/cli-check',
  'sessions/session-model',
].map((name) => `/test/${name}.test.ts`);

/** Runs the longest files first, so that all workers end at about the same time. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return index === -1 ? LONGEST.length : index;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
