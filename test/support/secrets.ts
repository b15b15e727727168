import { inspect } from 'node:util';

const TOKEN = /^[\w-]+\.[\w-]+\.([\w-]+)$/;

/**
 * Every password and token of a test file, and everything that was printed, so that the output can be searched for
 * secrets.
 */
class Secrets {
  /** Signatures of tokens: the secret part, because anybody may read the rest. */
  readonly #signatures = new Set<string>();
  readonly #phrases = new Set<string>();
  readonly #outputs: { where: string; text: string }[] = [];

  /** Records values that must not appear anywhere. */
  add(...values: unknown[]): void {
    for (const value of values) {
      if (typeof value !== 'string' || value.length < 8) continue;
      const [, signature] = TOKEN.exec(value) ?? [];
      if (signature) this.#signatures.add(signature);
      else this.#phrases.add(value);
    }
  }

  /** Records output: text as it is, anything else as `util.inspect` and JSON show it. */
  saw(where: string, value: unknown): void {
    if (typeof value === 'string') {
      this.#outputs.push({ where, text: value });
      return;
    }
    this.#outputs.push({ where, text: inspect(value, { depth: 12, showHidden: true, getters: true }) });
    this.#outputs.push({ where: `${where} as JSON`, text: JSON.stringify(value, stringifyBigint) ?? '' });
  }

  /** Throws if a secret was printed anywhere since the last call. */
  assertNoneShown(): void {
    for (const { where, text } of this.#outputs.splice(0)) {
      const phrase = [...this.#phrases].find((each) => text.includes(each));
      const signature = text.split(/[^\w-]+/).find((word) => this.#signatures.has(word));
      if (phrase || signature) throw new Error(`a ${phrase ? 'password or key' : 'token'} was shown in ${where}`);
    }
  }
}

const stringifyBigint = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

export const secrets = new Secrets();
