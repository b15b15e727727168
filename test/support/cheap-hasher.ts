import { type Argon2Parameters, PasswordHasher } from '../../src/index.js';

/** Hashes passwords as the library does, a hundred times faster: for tests that do not test the cost of a hash. */
export class CheapHasher extends PasswordHasher {
  protected override get parameters(): Argon2Parameters {
    return { memoryCost: 64, timeCost: 1, parallelism: 1 };
  }
}
