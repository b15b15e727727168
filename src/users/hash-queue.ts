import { serviceUnavailable } from '../error-table.js';

/** For whom a password is hashed: nobody shall keep others from their turn. */
export interface HashWork {
  /** What the client is counted by; undefined where it is not known. All of these share one lane. */
  readonly network?: string;
  /** Whether it is for a sign-up, which can wait longer than a sign-in. */
  readonly isSignUp?: boolean;
}

/** What the queue admits. */
export interface HashQueueLimits {
  /** Hashes at work at the same time. */
  readonly parallel: number;
  /** Requests that may wait. */
  readonly waiting: number;
  /** Of these, how many of one network may wait. */
  readonly waitingPerNetwork: number;
}

interface Waiting {
  readonly network: string | undefined;
  readonly start: () => void;
  readonly reject: () => void;
}

/** What waits, by network. The network that is next comes first. */
type Lanes = Map<string | undefined, Waiting[]>;

/**
 * Sign-ins that may start, while a sign-up waits, before that sign-up: so that it waits longer, but not without end.
 */
const MAX_SIGN_INS_IN_A_ROW = 4;

/** Networks whose last turn is remembered. At a hundred hashes a second these are the turns of at least 100 seconds. */
const REMEMBERED_NETWORKS = 10_000;

/**
 * Shares the work of hashing. Sign-ins come before sign-ups, and networks take turns. When too many wait, the newest
 * sign-up of the network with the most of them is refused, and where none waits the newest request of the network with
 * the most. Of networks with equally many, the one that had a turn last gives way, so that many that come again and
 * again do not keep out one that comes once; of networks that had none, the newcomer.
 */
export class HashQueue {
  readonly #signIns: Lanes = new Map();
  readonly #signUps: Lanes = new Map();
  #running = 0;
  #waiting = 0;
  #signInsInARow = 0;
  /** The number of the last turn of each network, the longest ago first. */
  readonly #lastTurns = new Map<string | undefined, number>();
  #turns = 0;

  constructor(private readonly limits: HashQueueLimits) {}

  /** Does some work when it is its turn. @throws service_unavailable when too many are waiting; what the work throws */
  async run<T>(work: () => Promise<T>, { network, isSignUp = false }: HashWork = {}): Promise<T> {
    if (this.#running < this.limits.parallel) this.#running++;
    else await this.#wait(network, isSignUp); // the one that ends hands its place over
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

  /** What is next: of the class whose turn it is, the oldest of the network whose turn it is. */
  #next(): Waiting | undefined {
    const isSignUpsTurn = this.#signIns.size === 0 || this.#signInsInARow >= MAX_SIGN_INS_IN_A_ROW;
    const lanes = isSignUpsTurn && this.#signUps.size > 0 ? this.#signUps : this.#signIns;
    this.#signInsInARow = lanes === this.#signIns && this.#signUps.size > 0 ? this.#signInsInARow + 1 : 0;
    const [first] = lanes;
    if (!first) return undefined;
    const [network, lane] = first;
    const next = lane.shift();
    lanes.delete(network);
    if (lane.length > 0) lanes.set(network, lane); // last now
    this.#waiting--;
    return next;
  }

  #remember(network: string | undefined): void {
    this.#lastTurns.delete(network); // last now
    this.#lastTurns.set(network, ++this.#turns);
    if (this.#lastTurns.size > REMEMBERED_NETWORKS) this.#lastTurns.delete(this.#lastTurns.keys().next().value);
  }

  #countOf(network: string | undefined): number {
    return (this.#signIns.get(network)?.length ?? 0) + (this.#signUps.get(network)?.length ?? 0);
  }

  /** Refuses the newest of a network: a sign-up, if there is one. */
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
