import { serviceUnavailable } from '../error-table.js';

/** For whom a password is hashed. The queue uses it to share the CPU fairly. */
export interface HashWork {
  /** The client's network (`clientNetwork`). All clients without a known network count as one. */
  readonly network?: string;
  /** True: the work belongs to a sign-up. All other work counts as a sign-in, which has the higher priority. */
  readonly isSignUp?: boolean;
}

/** Limits of the queue. */
export interface HashQueueLimits {
  /** How many hashes are computed in parallel. */
  readonly parallel: number;
  /** How many requests may wait. */
  readonly waiting: number;
  /** How many requests of one network may wait. Clients without a known network have no such limit. */
  readonly waitingPerNetwork: number;
}

interface Waiting {
  readonly network: string | undefined;
  readonly start: () => void;
  readonly reject: () => void;
}

/** The waiting requests of each network. The network whose turn is next comes first. */
type Lanes = Map<string | undefined, Waiting[]>;

/** After this many sign-ins in a row, a waiting sign-up gets its turn, so that sign-ups do not wait for ever. */
const MAX_SIGN_INS_IN_A_ROW = 4;

/** For how many networks the last turn is remembered: at a hundred hashes a second, those of 100 seconds or more. */
const REMEMBERED_NETWORKS = 10_000;

/**
 * Limits how many passwords are hashed in parallel, and decides which request is next. Sign-ins come before sign-ups,
 * and networks take turns.
 *
 * If too many requests wait, it refuses the newest sign-up of the network with the most waiting sign-ups. If no sign-up
 * waits, it does the same with sign-ins. Among networks with the same number, it chooses the one whose last turn was
 * most recent, so that networks that send many requests do not displace one that sends a single request. If none of
 * them had a turn, it chooses the network of the new request if that is one of them.
 */
export class HashQueue {
  readonly #signIns: Lanes = new Map();
  readonly #signUps: Lanes = new Map();
  #running = 0;
  #waiting = 0;
  #signInsInARow = 0;
  /** The number of the last turn of each network, oldest first. */
  readonly #lastTurns = new Map<string | undefined, number>();
  #turns = 0;

  constructor(private readonly limits: HashQueueLimits) {}

  /** Runs `work` when it has its turn. @throws service_unavailable if too many requests wait; what `work` throws */
  async run<T>(work: () => Promise<T>, { network, isSignUp = false }: HashWork = {}): Promise<T> {
    if (this.#running < this.limits.parallel) this.#running++;
    else await this.#wait(network, isSignUp); // the request that ends passes its place on
    this.#remember(network);
    try {
      return await work();
    } finally {
      const next = this.#next();
      if (next) next.start();
      else this.#running--;
    }
  }

  #wait(network: string | undefined, isSignUp: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const lanes = isSignUp ? this.#signUps : this.#signIns;
      const lane = lanes.get(network) ?? [];
      lanes.set(network, lane);
      lane.push({ network, start: resolve, reject: () => reject(serviceUnavailable()) });
      this.#waiting++;
      if (network !== undefined && this.#countOf(network) > this.limits.waitingPerNetwork)
        this.#rejectNewestOf(network);
      if (this.#waiting > this.limits.waiting) this.#rejectFromHeaviest(network);
    });
  }

  /** Removes and returns the next request: the oldest of the network whose turn it is, from sign-ins or sign-ups. */
  #next(): Waiting | undefined {
    const isSignUpsTurn = this.#signIns.size === 0 || this.#signInsInARow >= MAX_SIGN_INS_IN_A_ROW;
    const lanes = isSignUpsTurn && this.#signUps.size > 0 ? this.#signUps : this.#signIns;
    this.#signInsInARow = lanes === this.#signIns && this.#signUps.size > 0 ? this.#signInsInARow + 1 : 0;
    const [first] = lanes;
    if (!first) return undefined;
    const [network, lane] = first;
    const next = lane.shift();
    lanes.delete(network);
    if (lane.length > 0) lanes.set(network, lane); // moves it to the end
    this.#waiting--;
    return next;
  }

  #remember(network: string | undefined): void {
    this.#lastTurns.delete(network); // moves it to the end
    this.#lastTurns.set(network, ++this.#turns);
    if (this.#lastTurns.size > REMEMBERED_NETWORKS) this.#lastTurns.delete(this.#lastTurns.keys().next().value);
  }

  #countOf(network: string | undefined): number {
    return (this.#signIns.get(network)?.length ?? 0) + (this.#signUps.get(network)?.length ?? 0);
  }

  /** Refuses the newest request of a network: a sign-up if there is one, else a sign-in. */
  #rejectNewestOf(network: string | undefined): void {
    const lanes = this.#signUps.has(network) ? this.#signUps : this.#signIns;
    const lane = lanes.get(network);
    const newest = lane?.pop();
    if (lane?.length === 0) lanes.delete(network);
    if (!newest) return;
    this.#waiting--;
    newest.reject();
  }

  #rejectFromHeaviest(newcomer: string | undefined): void {
    const lanes = this.#signUps.size > 0 ? this.#signUps : this.#signIns;
    let heaviest = newcomer;
    let most = lanes.get(newcomer)?.length ?? 0;
    let latest = this.#lastTurns.get(newcomer) ?? 0;
    for (const [network, { length }] of lanes) {
      if (length < most) continue;
      const turn = this.#lastTurns.get(network) ?? 0;
      if (length === most && turn <= latest) continue;
      [heaviest, most, latest] = [network, length, turn];
    }
    this.#rejectNewestOf(heaviest);
  }
}
