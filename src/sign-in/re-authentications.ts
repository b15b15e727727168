import type { ReAuthentication } from './re-authentication.js';

/** The methods by which signed-in users of an app authenticate again: the password, and those that modules add. */
export class ReAuthentications {
  readonly #methods = new Map<string, ReAuthentication<unknown>>();

  constructor(own: readonly ReAuthentication[]) {
    for (const method of own) this.add(method);
  }

  /** Adds a method. Call it only during start-up. @throws TypeError if another one has the same member */
  add<Proof>(method: ReAuthentication<Proof>): void {
    const { member } = method;
    if (this.#methods.has(member)) throw new TypeError(`two methods of re-authentication have the member ${member}`);
    this.#methods.set(member, method as ReAuthentication<unknown>);
  }

  /** The method whose proof is in this member of a body. Undefined for a member of no method. */
  byMember(member: string): ReAuthentication<unknown> | undefined {
    return this.#methods.get(member);
  }

  /** All methods, in the order in which they were added. */
  get all(): readonly ReAuthentication<unknown>[] {
    return [...this.#methods.values()];
  }
}
