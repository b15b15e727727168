import { inspect } from 'node:util';

/** Every password and token of a test file beside everything that was printed, so that the one can be looked for in the other. */
class Secrets {
  readonly #secrets = new Set<string>();
  readonly #outputs: { where: string; text: string }[] = [];

  /** Remembers a value that must appear nowhere. */
  add(...values: unknown[]): void {
    for (const value of values) if (typeof value === 'string' && value.length >= 8) this.#secrets.add(value);
  }

  /** Remembers what was shown: text as it is, anything else as `util.inspect` and JSON show it. */
  saw(where: string, value: unknown): void {
    if (typeof value === 'string') {
      this.#outputs.push({ where, text: value });
      return;
    }
    this.#outputs.push({ where, text: inspect(value, { depth: 12, showHidden: true, getters: true }) });
    this.#outputs.push({ where: `${where} as JSON`, text: JSON.stringify(value, stringifyBigint) ?? '' });
  }

  /** Throws if a secret was shown anywhere since the last call. */
  assertNoneShown(): void {
    const outputs = this.#outputs.splice(0);
    for (const secret of this.#secrets) {
      const leak = outputs.find(({ text }) => text.includes(secret) || text.includes(signatureOf(secret)));
      if (leak)
        throw new Error(`a secret of ${secret.length} characters was shown in ${leak.where}: ${secret.slice(0, 4)}…`);
    }
  }
}

/** The last part of a token is secret by itself; of a password, all of it. */
function signatureOf(secret: string): string {
  return secret.split('.').length === 3 ? (secret.split('.')[2] ?? secret) : secret;
}

const stringifyBigint = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

export const secrets = new Secrets();
